package tokenizer

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/snapbench/snapbench/runners/sharedtest"
)

// pipelines are small tokenizers with results of the reference library. testdata/make.py makes them.
func pipelines(t testing.TB) []pipeline {
	var p []pipeline
	sharedtest.JSON(t, filepath.Join("testdata", "pipelines.json"), &p)
	if len(p) == 0 {
		t.Fatal("no pipelines")
	}
	return p
}

type pipeline struct {
	Name      string          `json:"name"`
	Tokenizer json.RawMessage `json:"tokenizer"`
	Cases     []vector        `json:"cases"`
}

func TestPipelines(t *testing.T) {
	for _, p := range pipelines(t) {
		t.Run(p.Name, func(t *testing.T) {
			tok, err := FromJSON(p.Tokenizer)
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range p.Cases {
				if err := v.check(tok); err != nil {
					t.Errorf("%q: %v", v.Text, err)
				}
			}
		})
	}
}

// TestConcurrentEncode: concurrent calls give the same results (run with -race).
func TestConcurrentEncode(t *testing.T) {
	for _, p := range pipelines(t)[:6] {
		tok, err := FromJSON(p.Tokenizer)
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for _, v := range p.Cases {
					if err := v.check(tok); err != nil {
						t.Errorf("%s: %q: %v", p.Name, v.Text, err)
					}
				}
			})
		}
		wg.Wait()
	}
}

// TestStreamEmitsEarly: a stream holds back only text that later tokens could change.
func TestStreamEmitsEarly(t *testing.T) {
	for _, c := range []struct {
		name   string
		tokens []string
		want   []string // after each token, and at the end
	}{
		{"gpt2", []string{"a", "ä", "¸", "ĸ", "b", "ä"}, []string{"a", "", "", "世", "b", "", "�"}},
		{"gpt2", []string{"<s>", "a", "ä", "a"}, []string{"", "a", "", "�a", ""}},
		{"llama2", []string{"▁", "<0xE4>", "<0xB8>", "<0x96>", "a", "▁a"}, []string{"", "", "", "", "世a", " a", ""}},
		{"llama2", []string{"a", "<0xE4>", "<0xB8>"}, []string{"a", "", "", "��"}},
		{"metaspace always", []string{"▁", "a", "▁"}, []string{"", "a", " ", ""}},
	} {
		all := pipelines(t)
		p := all[slices.IndexFunc(all, func(p pipeline) bool { return p.Name == c.name })]
		tok, err := FromJSON(p.Tokenizer)
		if err != nil {
			t.Fatal(err)
		}
		s := NewStream(tok, true)
		var got []string
		for _, text := range c.tokens {
			id, ok := tok.TokenID(text)
			if !ok {
				t.Fatalf("%s has no token %q", c.name, text)
			}
			got = append(got, s.Push(id))
		}
		if got = append(got, s.Flush()); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q streams as %q, want %q", c.name, c.tokens, got, c.want)
		}
	}
}

func TestInvalidUTF8(t *testing.T) {
	tok, err := FromJSON(pipelines(t)[0].Tokenizer)
	if err != nil {
		t.Fatal(err)
	}
	// One U+FFFD for each maximal ill-formed part, as recommended by Unicode and done by Python's errors="replace".
	for text, want := range map[string]string{
		"a\xff\xfeb":         "a��b",
		"\xe4\xb8":           "�",
		"\xe4\xb8a":          "�a",
		"\xf0\x9f\x98":       "�",
		"\xf0\x9f\x98\xf0":   "��",
		"\xe0\x80\x80":       "���",
		"\xed\xa0\x80":       "���",
		"\xf4\x90\x80\x80":   "����",
		"\xc3\xc3\xa9\x80":   "�é�",
		"fine \ufffd anyway": "fine � anyway",
	} {
		ids, err := tok.Encode(text, false)
		if got := tok.Decode(ids, false); err != nil || got != want {
			t.Errorf("%q came back as %q (%v), want %q", text, got, err, want)
		}
	}
}

// Pieces are the text in parts: one for each token, whatever the tokens are.
func TestPieces(t *testing.T) {
	for _, p := range pipelines(t) {
		tok, err := FromJSON(p.Tokenizer)
		if err != nil {
			continue // refused by name, which other tests see
		}
		for _, text := range []string{"", "a", " a  b\n", "世 a ä 世世"} {
			ids, err := tok.Encode(text, true)
			if err != nil {
				t.Fatal(err)
			}
			got := Pieces(tok, ids)
			if want := tok.Decode(ids, false); len(got) != len(ids) || strings.Join(got, "") != want {
				t.Errorf("%s: %q is %q, want the text %q", p.Name, text, got, want)
			}
		}
	}
}
