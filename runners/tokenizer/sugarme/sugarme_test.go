package sugarme

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners/tokenizer"
)

// TestReadsWhatNativeDoesNot: the vocabularies under testdata were trained on a few sentences with the Python package of
// the Rust library, which also made the vectors.
func TestReadsWhatNativeDoesNot(t *testing.T) {
	for _, name := range []string{"wordpiece", "unigram"} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join("testdata", name)
			_, err := tokenizer.OpenWith("native", dir)
			if err == nil || !strings.Contains(err.Error(), "--tokenizer sugarme") {
				t.Errorf("native: error %v, want one that points to --tokenizer sugarme", err)
			}
			tok, err := tokenizer.OpenWith("sugarme", dir)
			if err != nil {
				t.Fatal(err)
			}
			data, err := os.ReadFile(filepath.Join(dir, "vectors.json"))
			if err != nil {
				t.Fatal(err)
			}
			var vectors []struct {
				Text              string  `json:"text"`
				IDs               []int32 `json:"ids"`
				IDsWithoutSpecial []int32 `json:"ids_without_special"`
				Decoded           string  `json:"decoded"`
				DecodedSkip       string  `json:"decoded_skip_special"`
			}
			if err := json.Unmarshal(data, &vectors); err != nil {
				t.Fatal(err)
			}
			for _, v := range vectors {
				ids, err := tok.Encode(v.Text, true)
				if err != nil || !slices.Equal(ids, v.IDs) {
					t.Errorf("%q: ids %v (%v), want %v", v.Text, ids, err, v.IDs)
				}
				ids, err = tok.Encode(v.Text, false)
				if err != nil || !slices.Equal(ids, v.IDsWithoutSpecial) {
					t.Errorf("%q: without specials %v (%v), want %v", v.Text, ids, err, v.IDsWithoutSpecial)
				}
				if got := tok.Decode(v.IDsWithoutSpecial, false); got != v.Decoded {
					t.Errorf("%q: decoded %q, want %q", v.Text, got, v.Decoded)
				}
				if got := tok.Decode(v.IDsWithoutSpecial, true); got != v.DecodedSkip {
					t.Errorf("%q: decoded without specials %q, want %q", v.Text, got, v.DecodedSkip)
				}
			}
		})
	}
}

func TestInvalidUTF8(t *testing.T) {
	tok, err := Open(filepath.Join("testdata", "wordpiece"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tok.Encode("a\xff\xfe b\x80", true); err != nil {
		t.Errorf("invalid UTF-8: %v", err)
	}
	if got := tok.Decode([]int32{-1, 1 << 30}, false); got != "" {
		t.Errorf("unknown ids decode to %q", got)
	}
}

// TestPanicIsAnError: a vocabulary with look-ahead makes the library panic, and Open returns that as an error.
func TestPanicIsAnError(t *testing.T) {
	const file = `{"added_tokens": [], "pre_tokenizer": {"type": "Split", "pattern": {"Regex": "\\s+(?!\\S)"},
		"behavior": "Isolated", "invert": false},
		"model": {"type": "BPE", "vocab": {"a": 0, "b": 1}, "merges": []}}`
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "tokenizer.json"), []byte(file), 0o644); err != nil {
		t.Fatal(err)
	}
	if tok, err := Open(dir); err == nil {
		t.Errorf("opened as %v, want an error", tok)
	}
}
