package ruler

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"fmt"
	"io"
	"slices"
	"sort"
	"strings"
	"sync"

	"github.com/snapbench/snapbench/datasets/internal/pyrandom"
)

// words.txt.gz holds the word lists of the Python package wonderwords, one word a line, a blank
// line between the lists: nouns, adjectives and verbs of 3.0.1, and the nouns that 2.2.0 has
// beside those.
//
//go:embed words.txt.gz
var wordsGz []byte

// wordLists are the lists of one version, without repeats, sorted by code point.
type wordLists struct {
	pairs *pairs
	// common is all words in the fixed random order in which cwe samples them.
	common []string
}

var wordsOf = map[Edition]func() *wordLists{
	Edition2026: sync.OnceValue(func() *wordLists { return readWords(false) }),
	Edition2024: sync.OnceValue(func() *wordLists { return readWords(true) }),
}

func readWords(older bool) *wordLists {
	z, err := gzip.NewReader(bytes.NewReader(wordsGz))
	if err != nil {
		panic("ruler: the embedded words: " + err.Error())
	}
	text, err := io.ReadAll(z)
	if err != nil {
		panic("ruler: the embedded words: " + err.Error())
	}
	var lists [4][]string
	parts := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n\n")
	if len(parts) != len(lists) {
		panic(fmt.Sprintf("ruler: %d embedded lists of words", len(parts)))
	}
	for i, part := range parts {
		lists[i] = strings.Split(part, "\n")
	}
	nouns, adjectives, verbs := lists[0], lists[1], lists[2]
	if older {
		nouns = slices.Concat(nouns, lists[3])
	}
	w := &wordLists{common: distinct(slices.Concat(nouns, adjectives, verbs))}
	w.pairs = newPairs(distinct(adjectives), distinct(nouns))
	shuffle(w.common)
	return w
}

// distinct sorts a list by code point and drops repeats.
func distinct(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}

// shuffle is the "fresh shuffle" of the originals: by a new generator of the same seed, so the
// same permutation for every list of a length.
func shuffle[T any](list []T) {
	pyrandom.New(seed).Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
}

// pairs is the sorted list of all different strings adjective-noun, six million, of which none
// is stored but where adjectives that begin alike make the order irregular.
type pairs struct {
	blocks []pairBlock
	n      int
}

// pairBlock is a stretch of the list: prefix and each of the words.
type pairBlock struct {
	first  int // index of its first string
	prefix string
	words  []string
}

// newPairs takes sorted lists without repeats.
func newPairs(adjectives, nouns []string) *pairs {
	prefixes := make([]string, len(adjectives))
	for i, a := range adjectives {
		prefixes[i] = a + "-"
	}
	slices.Sort(prefixes)
	p := &pairs{}
	for i := 0; i < len(prefixes); {
		// Strings of a prefix lie together unless another prefix begins with it: then
		// theirs lie between.
		to := i + 1
		for to < len(prefixes) && strings.HasPrefix(prefixes[to], prefixes[i]) {
			to++
		}
		b := pairBlock{p.n, prefixes[i], nouns}
		if to > i+1 {
			var all []string
			for _, prefix := range prefixes[i:to] {
				for _, noun := range nouns {
					all = append(all, prefix+noun)
				}
			}
			b = pairBlock{p.n, "", distinct(all)}
		}
		p.blocks = append(p.blocks, b)
		p.n += len(b.words)
		i = to
	}
	return p
}

// at returns string i of the list, 0 <= i < n.
func (p *pairs) at(i int) string {
	b := p.blocks[sort.Search(len(p.blocks), func(k int) bool { return p.blocks[k].first > i })-1]
	return b.prefix + b.words[i-b.first]
}
