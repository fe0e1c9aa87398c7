package porter

import (
	"encoding/json"
	"os"
	"testing"
)

// TestNLTK compares with nltk.stem.porter.PorterStemmer().stem.
func TestNLTK(t *testing.T) {
	data, err := os.ReadFile("testdata/stems.json")
	if err != nil {
		t.Fatal(err)
	}
	var stems map[string]string
	if err := json.Unmarshal(data, &stems); err != nil {
		t.Fatal(err)
	}
	if len(stems) == 0 {
		t.Fatal("no cases")
	}
	for word, want := range stems {
		if got := Stem(word); got != want {
			t.Errorf("Stem(%q) = %q, NLTK %q", word, got, want)
		}
	}
}
