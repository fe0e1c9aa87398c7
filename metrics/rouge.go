package metrics

import (
	"strings"

	"github.com/snapbench/snapbench/metrics/internal/pystr"
)

func init() {
	Register(Scorer{
		Name: "rouge_l", Version: 1,
		About: "summary-level ROUGE-L, F as the Python package rouge 1.0.1 computes it",
		Score: bestAnswer(never(rougeL)),
	})
}

// rougeL is summary-level ROUGE-L (Lin 2004, section 3.2) in the form of the
// Python package rouge 1.0.1, which differs from the paper in almost every
// detail: a text is cut into sentences at full stops, sums over words become
// counts of distinct words, and the union of common subsequences grows over the
// sentences of the reference. A text without sentences makes the package raise,
// which benchmarks score as 0.
//
// The package walks its table by recursion and so gives up, also at 0, where
// that takes a thousand steps: on two sentences of some 500 words each that have
// little in common. No published prediction known to us comes near; here there
// is no such limit.
func rougeL(prediction, answer string) float64 {
	ids := map[string]int32{}
	hypothesis, hypothesisWords := rougeSentences(prediction, ids)
	reference, referenceWords := rougeSentences(answer, ids)
	if len(hypothesis) == 0 || len(reference) == 0 {
		return 0
	}
	union := make([]bool, len(ids))
	common := 0
	for _, r := range reference {
		for _, h := range hypothesis {
			for _, word := range lcsWords(r, h) {
				if !union[word] {
					union[word] = true
					common++
				}
			}
		}
	}
	r := float64(common) / float64(referenceWords)
	p := float64(common) / float64(hypothesisWords)
	return 2 * ((p * r) / (p + r + 1e-8))
}

// rougeSentences cuts text at full stops into sentences of words, written as
// numbers that ids hands out, and counts the distinct words. Pieces that are
// empty are dropped; one of white space only is a sentence of one empty word.
func rougeSentences(text string, ids map[string]int32) (sentences [][]int32, distinct int) {
	seen := map[int32]bool{}
	for piece := range strings.SplitSeq(text, ".") {
		if piece == "" {
			continue
		}
		words := pystr.Fields(piece)
		if len(words) == 0 {
			words = []string{""}
		}
		sentence := make([]int32, len(words))
		for i, word := range words {
			id, ok := ids[word]
			if !ok {
				id = int32(len(ids))
				ids[word] = id
			}
			sentence[i] = id
			seen[id] = true
		}
		sentences = append(sentences, sentence)
	}
	return sentences, len(seen)
}

// lcsWords returns the words of one longest common subsequence of x and y, last
// word first. Which one matters, since the union counts distinct words: walking
// back from the end, equal words are taken, else the walk goes up a word of x
// only if the cell above is strictly larger than the one to the left.
//
// The table needs two rows of lengths and one bit a cell for the walk, so that
// two texts of 10,000 words without a full stop take 12 MB.
func lcsWords(x, y []int32) []int32 {
	stride := (len(y) + 63) / 64
	up := make([]uint64, len(x)*stride) // (len(x), len(y)) bits
	above, row := make([]int32, len(y)+1), make([]int32, len(y)+1)
	for i, a := range x {
		bits := up[i*stride : (i+1)*stride]
		for j, b := range y {
			switch {
			case a == b:
				row[j+1] = above[j] + 1
			case above[j+1] > row[j]:
				row[j+1] = above[j+1]
				bits[j/64] |= 1 << (j % 64)
			default:
				row[j+1] = row[j]
			}
		}
		above, row = row, above
	}
	words := make([]int32, 0, above[len(y)])
	for i, j := len(x)-1, len(y)-1; i >= 0 && j >= 0; {
		switch {
		case x[i] == y[j]:
			words = append(words, x[i])
			i--
			j--
		case up[i*stride+j/64]>>(j%64)&1 == 1:
			i--
		default:
			j--
		}
	}
	return words
}
