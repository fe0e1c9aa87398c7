package ruler

import (
	"crypto/sha256"
	_ "embed"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"sort"
	"strings"
	"unicode"
)

// sentences.bin holds where the sentences of Paul Graham's essays start, as the Punkt tokenizer
// of NLTK 3.10.4 cuts them: in code points of the first essayWords words joined by spaces, each
// as a varint of its distance from the one before. The essays themselves are their author's and
// are not here.
//
//go:embed sentences.bin
var sentencesBin []byte

// essayWords and essaySHA256 tell RULER's essays: how many words they begin with, and the hash of
// these words joined by spaces.
const (
	essayWords  = 111877
	essaySHA256 = "14ca63813ed994265c91e1d53f181afb6e3bca26193131c86f6ea78f5e52da86"
)

// Essay is a haystack of words and sentences. It is endless: after the last word comes the first
// one again.
type Essay struct {
	text   string // the words joined by spaces
	ends   []int  // where each word ends in text
	starts []int  // where each sentence starts in text
	theirs bool
}

// NewEssay makes a haystack of a text, every run of white space of which becomes one space.
// ends finds where the sentences of a text end. The sentences of
// RULER's own essays are known, and cut as RULER's tokenizer of sentences does.
func NewEssay(text string, ends func(text string) []int) *Essay {
	words := strings.FieldsFunc(text, isSpace)
	e := &Essay{text: strings.Join(words, " "), ends: make([]int, len(words))}
	at := -1
	for i, w := range words {
		at += 1 + len(w)
		e.ends[i] = at
	}
	known := 0 // bytes whose sentences are known
	if len(words) >= essayWords {
		known = e.ends[essayWords-1]
		sum := sha256.Sum256([]byte(e.text[:known]))
		e.theirs = hex.EncodeToString(sum[:]) == essaySHA256
	}
	if e.theirs {
		e.starts = knownStarts(e.text[:known])
	} else {
		known = 0
	}
	start := known
	for _, end := range append(ends(e.text[known:]), len(e.text)-known) {
		for start < len(e.text) && e.text[start] == ' ' {
			start++
		}
		if start < known+end {
			e.starts = append(e.starts, start)
		}
		start = known + end
	}
	return e
}

// Original says that the text begins with RULER's own essays, so that prompts are the original's.
func (e *Essay) Original() bool { return e.theirs }

// Text is the haystack's text, without its repeats.
func (e *Essay) Text() string { return e.text }

// isSpace is what Python's \s matches.
func isSpace(r rune) bool { return unicode.IsSpace(r) || 0x1c <= r && r <= 0x1f }

// knownStarts are the stored starts, in bytes.
func knownStarts(text string) []int {
	var starts []int
	rest := sentencesBin
	point := 0 // code point of the next start
	next := func() bool {
		n, size := binary.Uvarint(rest)
		if size <= 0 {
			return false
		}
		rest = rest[size:]
		point += int(n)
		return true
	}
	at := 0
	ok := next()
	for i := range text {
		if ok && at == point {
			starts = append(starts, i)
			ok = next()
		}
		at++
	}
	return starts
}

// sentences cuts the first n words of the endless text into sentences.
func (e *Essay) sentences(n int) []string {
	var list []string
	for ; n >= len(e.ends); n -= len(e.ends) {
		list = e.cut(list, len(e.text))
	}
	if n > 0 {
		list = e.cut(list, e.ends[n-1])
	}
	return list
}

// cut appends the sentences of the text's first bytes.
func (e *Essay) cut(list []string, bytes int) []string {
	n := sort.SearchInts(e.starts, bytes)
	list = slices.Grow(list, n)
	for i, start := range e.starts[:n] {
		end := bytes
		if i+1 < n {
			end = e.starts[i+1]
		}
		list = append(list, strings.TrimSuffix(e.text[start:end], " "))
	}
	return list
}
