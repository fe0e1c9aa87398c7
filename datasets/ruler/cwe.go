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

// list samples words and repeats the first ten of them more often than the rest.
func (g *cwe) list(s *streams, size, often, seldom int) (all, common []string) {
	sample := make([]string, size)
	for i, k := range s.python.Sample(len(g.words), size) {
		sample[i] = g.words[k]
	}
	common = sample[:min(cweCommon, size)]
	for range often {
		all = append(all, common...)
	}
	for range seldom {
		all = append(all, sample[len(common):]...)
	}
	shuffle(all)
	return all, common
}

func (g *cwe) draw(s *streams, _, size int) *draft {
	d := &draft{}
	words, often, seldom, repeats := 40, 10, 3, [2]int{30, 3}
	if g.short {
		words, often, seldom, repeats = 20, 3, 1, [2]int{6, 1}
	}
	example, solved := g.list(s, words, often, seldom)
	if size > len(g.words) {
		s.python.Sample(cweRare, size)
		return nil
	}
	list, common := g.list(s, size, repeats[0], repeats[1])
	d.answers = common

	f := g.frame
	whole := strings.NewReplacer(contextMark, numbered(example), "{query}", "").Replace(f.whole())
	if !g.older {
		whole += " "
	}
	d.write(whole + numbered(solved) + "\n")
	var context passage
	numberedMarked(&context, list, common)
	f.fill(&d.passage, &context)
	return d
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
