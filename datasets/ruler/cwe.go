package ruler

import (
	"slices"
	"strconv"
	"strings"
)

// cwe lists words of which ten occur more often than the others, and asks for these. A worked
// example of the same comes first.
type cwe struct {
	frame frame
	older bool
	words []string
	short bool // prompts below 4096 tokens, in which all numbers are smaller
}

const (
	cweCommon = 10   // words that occur more often
	cweProbe  = 4096 // words of the prompt by which sizes are estimated
	// cweRare is how many words the file has from which the original draws more words than the
	// list has. The words of such prompts do not matter, since none fits.
	cweRare = 370105
)

func newCWE(c Config, f frame) *cwe {
	return &cwe{frame: f, older: c.Edition == Edition2024, words: wordsOf[c.Edition]().common, short: c.Length < 4096}
}

func (g *cwe) step() int { return 10 }

func (g *cwe) most() (n int, whole bool) { return len(g.words), false }

// sample draws different words.
func (g *cwe) sample(s *streams, size int) []string {
	sample := make([]string, size)
	for i, k := range s.python.Sample(len(g.words), size) {
		sample[i] = g.words[k]
	}
	return sample
}

// repeated is a list in which the first ten words of a sample occur more often than the rest.
func repeated(sample []string, often, seldom int) []string {
	n := min(cweCommon, len(sample))
	list := slices.Concat(slices.Repeat(sample[:n], often), slices.Repeat(sample[n:], seldom))
	shuffle(list)
	return list
}

func (g *cwe) draw(s *streams, _, size int) *draft {
	words, often, seldom, repeats := 40, 10, 3, [2]int{30, 3}
	if g.short {
		words, often, seldom, repeats = 20, 3, 1, [2]int{6, 1}
	}
	example := g.sample(s, words)
	if size > len(g.words) {
		s.python.Sample(cweRare, size)
		return nil
	}
	sample := g.sample(s, size)
	common := sample[:min(cweCommon, size)]
	return &draft{answers: common, write: func(p *passage) {
		f := g.frame
		solved := strings.Replace(f.whole(), contextMark, numbered(repeated(example, often, seldom)), 1)
		if !g.older {
			solved += " "
		}
		p.write(solved + numbered(example[:cweCommon]) + "\n")
		var context passage
		numberedMarked(&context, repeated(sample, repeats[0], repeats[1]), common)
		f.fill(p, &context)
	}}
}

// numberedMarked writes what [numbered] returns, with the common words marked.
func numberedMarked(p *passage, words, common []string) {
	for i, w := range words {
		if i > 0 {
			p.write(" ")
		}
		number := strconv.Itoa(i+1) + ". "
		if slices.Contains(common, w) {
			p.hide(number+w, len(number), w)
		} else {
			p.write(number + w)
		}
	}
}
