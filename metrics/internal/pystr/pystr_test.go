package pystr

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestPython compares with Python 3's results for the same strings. To add a
// case, append {"s": s, "lower": s.lower(), "split": s.split(), "strip":
// s.strip(), "digits": re.findall(r"\d+", s), "articles":
// re.sub(r"\b(a|an|the)\b", " ", s)}.
func TestPython(t *testing.T) {
	data, err := os.ReadFile("testdata/python.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		S, Lower, Strip, Articles string
		Split, Digits             []string
	}
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) == 0 {
		t.Fatal("no cases")
	}
	for _, c := range cases {
		if got := Lower(c.S); got != c.Lower {
			t.Errorf("Lower(%q) = %q, Python %q", c.S, got, c.Lower)
		}
		if got := Strip(c.S); got != c.Strip {
			t.Errorf("Strip(%q) = %q, Python %q", c.S, got, c.Strip)
		}
		if got := Fields(c.S); !slices.Equal(got, c.Split) {
			t.Errorf("Fields(%q) = %q, Python %q", c.S, got, c.Split)
		}
		if got := DigitRuns(c.S); !slices.Equal(got, c.Digits) {
			t.Errorf("DigitRuns(%q) = %q, Python %q", c.S, got, c.Digits)
		}
		article := func(word string) bool { return word == "a" || word == "an" || word == "the" }
		if got := ReplaceWords(c.S, " ", article); got != c.Articles {
			t.Errorf("ReplaceWords(%q) = %q, Python %q", c.S, got, c.Articles)
		}
	}
}

// TestInt compares with Python 3's int: "" where it raises ValueError. To add a case, append
// {"s": s, "int": str(int(s))}.
func TestInt(t *testing.T) {
	data, err := os.ReadFile("testdata/int.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct{ S, Int string }
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) == 0 {
		t.Fatal("no cases")
	}
	for _, c := range cases {
		if got, ok := Int(c.S); got != c.Int || ok != (c.Int != "") {
			t.Errorf("Int(%q) = %q, %t, Python %q", c.S, got, ok, c.Int)
		}
	}
	for digits, want := range map[string]bool{strings.Repeat("9", 4300): true, strings.Repeat("9", 4301): false, strings.Repeat("0", 4301): false, "-" + strings.Repeat("1_", 4299) + "1": true} {
		if _, ok := Int(digits); ok != want {
			t.Errorf("Int of %d characters: %t, Python %t", len(digits), ok, want)
		}
	}
}

func TestIsASCIIPunct(t *testing.T) {
	const punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~" // string.punctuation
	got := ""
	for r := rune(0); r < 0x3000; r++ {
		if IsASCIIPunct(r) {
			got += string(r)
		}
	}
	if got != punctuation {
		t.Errorf("punctuation is %q, want %q", got, punctuation)
	}
}
