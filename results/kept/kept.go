// Package kept stores which tokens of a prompt each variant's cache kept: for every layer, how many of its cache heads
// hold a token. That is what a reader needs to see what a policy evicted, and a small part of the positions themselves.
//
// A run's folder has them in positions.jsonl beside its rows ([Writer]), and [Open] finds them again by a row's id, also
// in the parts of a run that several processes made. Nothing but pictures rests on this file: rows are the same without.
package kept

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// File is the name of the file in a run's folder.
const File = "positions.jsonl"

// Span is a stretch of tokens, from the first to before the second number.
type Span [2]int

// Prompt is the text of a prompt's tokens, and where in it is what the answer needs.
type Prompt struct {
	// Tokens are the pieces that make the prompt's text. A character of several tokens stands with the last of them.
	Tokens []string `json:"tokens"`
	Needle []Span   `json:"needle,omitempty"` // hidden sentences
	Answer []Span   `json:"answer,omitempty"` // in the needles, or anywhere in a prompt without any
}

// mostSpans is how often one text is marked in a prompt.
const mostSpans = 20

// NewPrompt marks the needles and the answers in a prompt of these tokens.
func NewPrompt(tokens, needles, answers []string) Prompt {
	p := Prompt{Tokens: tokens}
	text := strings.Join(tokens, "")
	starts := make([]int, len(tokens)+1) // of each token in the text
	for i, t := range tokens {
		starts[i+1] = starts[i] + len(t)
	}
	within := [][2]int{{0, len(text)}} // bytes
	if len(needles) > 0 {
		within = nil
		for _, n := range needles {
			if at := strings.Index(text, n); at >= 0 && n != "" {
				within = append(within, [2]int{at, at + len(n)})
				p.Needle = append(p.Needle, tokensOf(starts, at, at+len(n)))
			}
		}
	}
	for _, a := range answers {
		if len(needles) == 0 && utf8.RuneCountInString(a) < 3 {
			continue // it is everywhere
		}
		for _, w := range within {
			for from := w[0]; a != "" && len(p.Answer) < mostSpans; {
				at := strings.Index(text[from:w[1]], a)
				if at < 0 {
					break
				}
				p.Answer = append(p.Answer, tokensOf(starts, from+at, from+at+len(a)))
				from += at + len(a)
			}
		}
	}
	return p
}

// tokensOf returns the tokens that hold any of the text's bytes from one to before another.
func tokensOf(starts []int, from, to int) Span {
	s := Span{-1, 0}
	for i := range len(starts) - 1 {
		if starts[i+1] > from && starts[i] < to && starts[i+1] > starts[i] {
			if s[0] < 0 {
				s[0] = i
			}
			s[1] = i + 1
		}
	}
	s[0] = max(s[0], 0)
	return s
}

// Key names a prompt by all that it says, so that it is the same wherever it is written.
func (p Prompt) Key() string {
	b, err := json.Marshal(p)
	if err != nil {
		panic("kept: a prompt that JSON cannot hold: " + err.Error()) // texts and numbers
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

func (p Prompt) check() error {
	for _, list := range [][]Span{p.Needle, p.Answer} {
		for _, s := range list {
			if s[0] < 0 || s[1] < s[0] || s[1] > len(p.Tokens) {
				return fmt.Errorf("tokens %d to %d of a prompt of %d", s[0], s[1], len(p.Tokens))
			}
		}
	}
	return nil
}

// Row is what the cache of a row kept.
type Row struct {
	ID     string  `json:"id"`     // the row's
	Prompt string  `json:"prompt"` // the key of its Prompt
	Layers []Layer `json:"layers"`
}

// RowOf counts the positions of a prompt of n tokens, given by layer and cache head.
func RowOf(id, prompt string, positions [][][]int32, n int) (Row, error) {
	r := Row{ID: id, Prompt: prompt, Layers: make([]Layer, len(positions))}
	for l, heads := range positions {
		var err error
		if r.Layers[l], err = count(heads, n); err != nil {
			return Row{}, fmt.Errorf("layer %d: %w", l, err)
		}
	}
	return r, nil
}

// Check refuses a row that is not of a prompt of n tokens.
func (r Row) Check(n int) error {
	for l, layer := range r.Layers {
		sum := 0
		for _, run := range layer.Runs {
			sum += run.Tokens
		}
		if sum != n {
			return fmt.Errorf("layer %d is of %d tokens, the prompt of %d", l, sum, n)
		}
	}
	return nil
}
