package datasets

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/snapbench/snapbench/metrics"
)

// madeTask is a task whose prompts are made by a program: a context of so many pieces, and a
// question about one or all of them. What differs between tasks is their recipe.
type madeTask struct {
	name     string
	protocol string
	grid     cells
	seed     uint64
	metric   string
	maxNew   int
	recipe

	mu   sync.Mutex
	news map[int]int // most new tokens by sample, as far as asked for
}

// MadeOptions are options of all families whose prompts a program makes.
type MadeOptions struct {
	// Lengths are the longest prompts in tokens. Without Lengths and Sizes the prompts are as many and as large as the
	// benchmark's own.
	Lengths []int `option:"lengths" kind:"tokens" help:"longest prompts in tokens, template included: as many pieces of the context as fit (default by task)"`
	// Sizes asks instead for contexts of so many pieces.
	Sizes []int `option:"sizes" kind:"whole" least:"1" help:"pieces of the context in place of --lengths: nodes, noise lines, numbers, terms, functions, pairs, lines (default the benchmark's)" json:",omitempty"`
	// Trials is the number of prompts for each length or size, and depth.
	Trials int `option:"trials" kind:"whole" least:"1" help:"prompts per length or size and depth, each with its own draws (default 1, or the benchmark's number)"`
	// Seed decides all that is drawn.
	Seed uint64 `option:"seed" kind:"seed" help:"of all that is drawn"`
}

// PlacedOptions are those of families that ask for something at a certain place.
type PlacedOptions struct {
	MadeOptions
	Depths []float64 `option:"depths" kind:"depths" help:"places of what is asked for, how many or in percent (default 5, or the benchmark's)" json:",omitempty"`
}

func (o MadeOptions) cells() cells {
	return cells{lengths: o.Lengths, sizes: o.Sizes, trials: o.Trials}
}

func (o PlacedOptions) cells() cells {
	c := o.MadeOptions.cells()
	c.depths = o.Depths
	return c
}

// recipe says how a task's prompts are made.
type recipe struct {
	version int    // of prompts and rules
	texts   string // what prompts are made of, for the digest
	perUnit int    // about how many tokens a piece has
	least   int    // fewest pieces
	make    func(rng *random, c cell, size int) (made, error)
}

// made is a prompt before the chat template.
type made struct {
	messages []Message // contextMark stands in one of them
	raw      bool      // no chat template, whatever the model has
	begun    string    // the answer's beginning
	apart    string    // the question, where it is read through the compressed cache of what is before it
	context  string
	answers  []string
	// question is the text of the messages or of begun that says what is asked, and marks are
	// passages of context.
	question string
	marks    []Mark
	maxNew   int // 0: twice the answer and spare more
	spare    int
	stops    []string
}

// openMade completes a task and checks what was asked of it. published is the benchmark's own grid.
func openMade(t *madeTask, published cells, o Options, metric string) (Task, error) {
	err := t.grid.complete(published)
	if err == nil {
		if t.metric = o.Metric; t.metric == "" {
			t.metric = metric
		}
		_, err = metrics.Open(t.metric)
	}
	if err != nil {
		return nil, &OptionError{fmt.Errorf("task %s: %w", t.name, err)}
	}
	t.maxNew, t.grid.limit = o.MaxNew, o.Limit
	return t, nil
}

func (t *madeTask) Name() string    { return t.name }
func (t *madeTask) Version() int    { return t.version }
func (t *madeTask) Len() int        { return t.grid.len() }
func (t *madeTask) ID(i int) string { return t.grid.id(i) }

// Metric returns the scorer of all of its samples.
func (t *madeTask) Metric() string { return t.metric }

func (t *madeTask) Digest() string { return digestOf(slices.Values([]string{t.texts})) }

func (t *madeTask) Size(i int) int {
	c := t.grid.cell(i)
	return max(c.length, c.size*t.perUnit)
}

// MaxNew is about the most new tokens of an answer, which may follow from how many tokens the answer itself has.
func (t *madeTask) MaxNew(i int) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n, ok := t.news[i]; ok {
		return n
	}
	c := t.grid.cell(i)
	size := c.size
	if c.length > 0 {
		size = c.length / max(1, t.perUnit)
	}
	n := promptsNew // of a sample that will be an error
	if p, err := t.make(t.random(c), c, max(size, t.least)); err == nil {
		if n = p.maxNew; n == 0 {
			n = 2*aboutTokens(" "+strings.Join(p.answers, ", ")) + p.spare
		}
	}
	if t.news == nil {
		t.news = map[int]int{}
	}
	t.news[i] = capped(n, t.maxNew)
	return t.news[i]
}

func (t *madeTask) Sample(i int, m Model) Sample {
	c := t.grid.cell(i)
	s := Sample{
		Task: t.name, TaskVersion: t.version, ID: t.ID(i), Protocol: t.protocol, Metric: t.metric, End: EndGeneration, Length: c.length,
	}
	if err := t.build(&s, c, m); err != nil {
		s.fail(err)
	}
	return s
}

func (t *madeTask) build(s *Sample, c cell, m Model) error {
	if m.Tokenizer == nil {
		return errNoTokenizer
	}
	var p written
	var err error
	if c.length == 0 {
		p, err = t.write(c, c.size, m)
	} else {
		p, err = t.fit(c, m)
	}
	if err != nil {
		return err
	}
	s.Prompt, s.IDs, s.Question, s.Marks, s.Answers, s.StopStrings = p.text, p.ids, p.after, p.marks, p.answers, p.stops
	n := p.maxNew
	if n == 0 {
		answer, err := m.Tokenizer.Encode(" "+strings.Join(p.answers, ", "), false)
		if err != nil {
			return err
		}
		n = 2*len(answer) + p.spare
	}
	s.MaxNew = capped(n, t.maxNew)
	return s.finish(m)
}

// written is a prompt with its tokens. Its marks are of text.
type written struct {
	made
	size       int // pieces of the context
	text       string
	ids, after []int32 // after are the question's, where it is apart
}

func (p *written) tokens() int { return len(p.ids) + len(p.after) }

// random is a cell's stream: another task's or another seed's is another.
func (t *madeTask) random(c cell) *random {
	return newRandom(fmt.Sprintf("%s %d | %d %d %d %v %d", t.name, t.version, t.seed, c.length, c.size, c.depth, c.trial))
}

// write makes the prompt of a cell with so many pieces. Whatever their number, the cell's random
// stream is the same.
func (t *madeTask) write(c cell, size int, m Model) (p written, err error) {
	rng := t.random(c)
	if p.size = size; size < t.least {
		return p, fmt.Errorf("%d %s: want %d or more", size, t.grid.unit, t.least)
	}
	if p.made, err = t.make(rng, c, size); err != nil {
		return p, err
	}
	if p.apart != "" {
		var s Sample
		before := strings.Replace(p.messages[0].Content, contextMark, p.context, 1)
		if err := apart(&s, m, before, p.apart, p.begun, math.MaxInt, 0); err != nil {
			return p, err
		}
		p.text, p.ids, p.after = s.Prompt, s.IDs, s.Question
		p.mark(strings.Index(p.text, p.context))
		return p, nil
	}
	head, tail, err := p.around(m)
	if err != nil {
		return p, err
	}
	p.text = head + p.context + tail
	p.mark(len(head))
	p.ids, err = m.encode(p.text)
	return p, err
}

// around returns the texts before and after the context, chat template included.
func (p *made) around(m Model) (head, tail string, err error) {
	if p.raw {
		m.Chat = nil
	}
	return m.aroundChat(p.messages, p.begun)
}

// mark turns marks of the context, which is at a place in the text, into marks of the text, and
// adds the question's, before and after the context.
func (p *written) mark(at int) {
	for i := range p.marks {
		p.marks[i].From += at
		p.marks[i].To += at
	}
	if p.question == "" {
		return
	}
	end := at + len(p.context)
	for _, part := range [][2]int{{end, len(p.text)}, {0, at}} {
		if i := strings.LastIndex(p.text[part[0]:part[1]], p.question); i >= 0 {
			p.marks = append(p.marks, Mark{"question", part[0] + i, part[0] + i + len(p.question)})
		}
	}
}

// fit makes the prompt of a cell with as many pieces as fit the cell's length. Tokens are counted
// on the whole text; how many pieces to try follows from the counts before, which are nearly linear, so that it
// takes a few passes over the text.
func (t *madeTask) fit(c cell, m Model) (best written, err error) {
	if m.ContextLength > 0 && c.length > m.ContextLength { // before a text is made in vain
		return best, fmt.Errorf("the prompt has %d tokens, the model's context %d", c.length, m.ContextLength)
	}
	if best, err = t.write(c, t.least, m); err != nil {
		return best, err
	}
	if n := best.tokens(); n > c.length {
		return best, fmt.Errorf("a prompt of %d tokens has no room: with %d %s it takes %d", c.length, t.least, t.grid.unit, n)
	}
	var high written // too long; unknown at first
	perPiece := float64(max(1, t.perUnit))
	for range 40 {
		left := float64(c.length - best.tokens())
		if high.size > 0 {
			if high.size == best.size+1 || left < perPiece/2 {
				break
			}
			perPiece = float64(high.tokens()-best.tokens()) / float64(high.size-best.size)
		}
		next := best.size + max(1, int(left/perPiece))
		if high.size > 0 {
			next = min(next, high.size-1)
		}
		if next > mostPieces {
			return best, fmt.Errorf("a prompt of %d tokens would take more than %d %s", c.length, mostPieces, t.grid.unit)
		}
		p, err := t.write(c, next, m)
		if err != nil {
			return best, err
		}
		if n := p.tokens(); n > c.length {
			high = p
		} else {
			if n > best.tokens() {
				perPiece = float64(n-best.tokens()) / float64(next-best.size)
			}
			best = p
		}
	}
	return best, nil
}
