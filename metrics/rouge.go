package metrics

import (
	"strings"

	"github.com/snapbench/snapbench/metrics/internal/pystr"
)

func init() {
	Register(Scorer{
		Name: "rouge_l", Version: 1,
		About: "summary-level ROUGE-L, F as the Python package rouge 1.0.1 computes it",
		Definition: "ROUGE-L over sentences: words of the longest common subsequences of the sentences of both texts are " +
			"counted once each, over the distinct words of the answer and of the prediction, and the two shares " +
			"give F. As the Python package rouge 1.0.1 computes it. The best answer counts.",
		Example: Example{"the cat sat", Reference{Answers: []string{"the cat ran"}}, 2.0 / 3},
		Score:   bestAnswer(never(rougeL)),
	})
}

// rougeL is summary-level ROUGE-L (Lin 2004, section 3.2) in the form of the
// Python package rouge 1.0.1, which differs from the paper in almost every
// detail: a text is cut into sentences at full stops, sums over words become
// counts of distinct words, and the union of common subsequences grows over the
// sentences of the reference. For a text without sentences the package raises an
// error, which benchmarks score as 0.
//
// The package walks its table by recursion and fails, which scores 0 too, after a
// thousand steps: on two sentences of some 500 words each that have little in
// common. No published prediction that we know is near it. Here is no such limit.
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

// rougeSentences cuts text at full stops into sentences of words, and counts the
// distinct words. Words are numbers; ids holds the number of each. Empty pieces
// are dropped; a piece of white space is a sentence of one empty word.
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

// lcsWords returns the words of a longest common subsequence of x and y, last
// word first. If there are several, the choice matters, because the union counts
// distinct words: on the walk back from the end equal words are taken; else the
// walk goes back a word of x if the cell above is strictly larger than the one to
// the left, and a word of y if not.
//
// The table is two rows of lengths and one bit per cell for the walk, so two
// texts of 10,000 words without a full stop take 12 MB.
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
