package ruler

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners/sharedtest"
)

// TestSharedWords holds the word lists of both editions, and the orders in which they are drawn
// from, against hashes of the originals'.
func TestSharedWords(t *testing.T) {
	var vectors struct {
		Wordlists []struct {
			Wonderwords string
			Pairs       int               `json:"adj_noun_words"`
			PairsSHA    string            `json:"adj_noun_sha256"`
			At          map[string]string `json:"adj_noun_at"`
			Words       int               `json:"cwe_words"`
			ShuffledSHA string            `json:"cwe_shuffled_seed42_sha256"`
		}
	}
	sharedtest.JSON(t, sharedtest.Path(t, "ruler", "pyrandom.json"), &vectors)
	compared := 0
	for _, want := range vectors.Wordlists {
		edition := Edition2026
		if strings.HasPrefix(want.Wonderwords, "2.") {
			edition = Edition2024
		}
		w := wordsOf[edition]()
		for at, text := range want.At {
			i, err := strconv.Atoi(at)
			if err != nil {
				t.Fatal(err)
			}
			if got := w.pairs.at(i); got != text {
				t.Errorf("%s: pair %d is %q, the original's %q", want.Wonderwords, i, got, text)
			}
			compared++
		}
		if w.pairs.n != want.Pairs || hashPairs(w.pairs) != want.PairsSHA {
			t.Errorf("%s: %d pairs, the original has %d, or others", want.Wonderwords, w.pairs.n, want.Pairs)
		}
		if len(w.common) != want.Words || sum(strings.Join(w.common, "\n")) != want.ShuffledSHA {
			t.Errorf("%s: %d words, the original has %d, or others", want.Wonderwords, len(w.common), want.Words)
		}
	}
	if compared == 0 {
		t.Error("nothing compared")
	}
	t.Logf("%d lists and %d places compared", len(vectors.Wordlists), compared)
}

func hashPairs(p *pairs) string {
	h := sha256.New()
	for i, b := range p.blocks {
		if i > 0 {
			h.Write([]byte("\n"))
		}
		h.Write([]byte(b.prefix + strings.Join(b.words, "\n"+b.prefix)))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Adjectives of which one begins another, with its hyphen, have their pairs in one order.
func TestPairs(t *testing.T) {
	adjectives, nouns := []string{"a", "a-b", "ab"}, []string{"b-c", "c", "d"}
	want := []string{"a-b-c", "a-b-b-c", "a-b-d", "a-c", "a-d", "ab-b-c", "ab-c", "ab-d"} // a-b-c is of two
	slices.Sort(want)
	p := newPairs(adjectives, nouns)
	var got []string
	for i := range p.n {
		got = append(got, p.at(i))
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestSharedCounts(t *testing.T) {
	var vectors struct {
		Counts []struct {
			Ranks  int `json:"vocab_size"`
			Words  int `json:"num_words"`
			Counts []int
		} `json:"fwe_counts"`
	}
	sharedtest.JSON(t, sharedtest.Path(t, "ruler", "pyrandom.json"), &vectors)
	for _, v := range vectors.Counts {
		if got := fweCounts(v.Words, v.Ranks); !slices.Equal(got, v.Counts) {
			t.Errorf("%d words of %d ranks: %v, the original %v", v.Words, v.Ranks, got, v.Counts)
		}
	}
	if len(vectors.Counts) == 0 {
		t.Error("nothing compared")
	}
	t.Logf("%d lists of counts compared", len(vectors.Counts))
}
