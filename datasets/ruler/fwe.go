package ruler

import (
	"math"
	"slices"
)

// fwe is a text of coded words whose frequencies fall by Zipf's law, of which the three most
// frequent after the most frequent, which is replaced by dots, are asked for. It has a search of
// sizes of its own.
type fwe struct {
	frame  frame
	budget int // tokens
}

const (
	fweAnswers = 3
	fweLetters = 6
	fweZeta    = math.Pi * math.Pi / 6 // ζ(2)
)

func newFWE(c Config, f frame) *fwe {
	g := &fwe{frame: f, budget: c.Length}
	if c.Edition != Edition2024 {
		g.budget -= NewTokens(c.Task)
	}
	return g
}

func (g *fwe) step() int { return g.budget / 32 }

// vocabulary draws the coded words, the most frequent first.
func (g *fwe) vocabulary(s *streams) []string {
	n := g.budget / 50
	list := make([]string, n)
	for i := range list {
		list[i] = s.python.Letters(letters, fweLetters)
	}
	for {
		if list = distinct(list); len(list) == n {
			break
		}
		list = append(list, s.python.Letters(letters, fweLetters))
	}
	shuffle(list)
	list[0] = "..."
	return list
}

// fweCounts is how often the words of each rank occur among about so many words.
func fweCounts(words, ranks int) []int {
	counts := make([]int, ranks)
	for i := range counts {
		rank := float64(i + 1)
		counts[i] = int(float64(words) * (1 / (rank * rank)) / fweZeta)
	}
	return counts
}

// prompt is the text of about so many words.
func (g *fwe) prompt(vocabulary []string, words int) *draft {
	var list []string
	for i, n := range fweCounts(max(words, 0), len(vocabulary)) {
		list = slices.AppendSeq(list, slices.Values(slices.Repeat(vocabulary[i:i+1], n)))
	}
	shuffle(list)
	answers := vocabulary[1 : 1+fweAnswers]
	return &draft{answers: answers, write: func(p *passage) {
		var context passage
		for i, w := range list {
			if i > 0 {
				context.write(" ")
			}
			if slices.Contains(answers, w) {
				context.hide(w, 0, w)
			} else {
				context.write(w)
			}
		}
		g.frame.fill(p, &context)
	}}
}

func (g *fwe) draw(s *streams, _, size int) *draft { return g.prompt(g.vocabulary(s), size) }

// search finds the size of all samples: words are added until a prompt has the budget's tokens,
// and the last addition is taken back.
func (g *fwe) search(s *streams, count func(string) (int, error)) (int, error) {
	vocabulary := g.vocabulary(s)
	for size := g.budget / fweLetters; ; size += g.step() {
		n, err := count(g.prompt(vocabulary, size).text())
		if err != nil {
			return 0, err
		}
		if n >= g.budget {
			return size - g.step(), nil
		}
	}
}

// fit draws a sample and takes words away until it fits.
func (g *fwe) fit(s *streams, size int, count func(string) (int, error)) (*draft, made, error) {
	m := made{from: s.place(), size: size}
	vocabulary := g.vocabulary(s)
	for ; ; m.size -= g.step() {
		d := g.prompt(vocabulary, m.size)
		var err error
		if m.tokens, err = count(d.text()); err != nil || m.tokens <= g.budget {
			return d, m, err
		}
		if m.size <= 0 {
			return nil, m, errShort
		}
	}
}
