package ruler

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/snapbench/snapbench/inputs/lookup"
)

// Edition is one of the two programs by which the benchmark is known. They differ in how sizes
// are found, in vt's and cwe's worked examples, and in the version of the word lists.
type Edition string

// The editions, by the month of their commits.
const (
	Edition2024 Edition = "2024-10" // e40fae1
	Edition2026 Edition = "2026-07" // c3f5e3b
)

// Config says which samples a series holds.
type Config struct {
	Edition Edition
	Task    string
	// Length is the budget in tokens for prompt and answer together.
	Length   int
	Template Template
	// Count returns the tokens of a text, without what a tokenizer adds to one.
	Count func(text string) (int, error)
	Essay *Essay // of the tasks for which Essays is true
	QA    *QA    // of the tasks for which Documents is true

	countAll bool // of tests: no probe of a search goes uncounted
}

// Sample is one prompt with its answers.
type Sample struct {
	Prompt  string
	Answers []string
	Marks   []Mark
	// Prefix is where in Prompt the answer's beginning starts, a space first.
	Prefix int
	// Size is how much haystack there is, by task: lines, words, distinct words, documents.
	Size int
	// Tokens are those of the prompt, as counted.
	Tokens int
}

// Series is the samples of a task at one length. It is safe for concurrent use.
type Series struct {
	Config
	g       generator
	example *workedExample

	mu      sync.Mutex
	started bool
	size    int
	next    *streams // for the sample after those in made
	made    []made
	err     error // why there is no size
}

// made is where a sample's draws begin, and what came of them.
type made struct {
	from         place
	size, tokens int
}

// errShort says that a prompt of the least size is too long.
var errShort = errors.New("the length is too short for the task")

// tries is how often a prompt of the least size is drawn anew before it counts as too long. The
// originals try for ever; here its haystack shrinks from there on, by a tenth each time.
const tries = 200

// Open checks a configuration. Nothing is drawn or counted before the first sample.
func Open(c Config) (*Series, error) {
	t, ok := data().Tasks[c.Task]
	if !ok {
		return nil, lookup.Unknown("task", c.Task, Tasks()...)
	}
	if wordsOf[c.Edition] == nil {
		return nil, lookup.Unknown("edition", string(c.Edition), string(Edition2024), string(Edition2026))
	}
	if c.Length <= NewTokens(c.Task) {
		return nil, fmt.Errorf("length %d: %d tokens are for the answer", c.Length, NewTokens(c.Task))
	}
	text := data().Families[t.Family]
	f := frame{Template: c.Template, task: text.Template, prefix: text.Prefix}
	if c.Edition == Edition2024 {
		f.prefix = cmp.Or(text.Prefix2024, text.Prefix)
	}
	s := &Series{Config: c, next: newStreams()}
	switch t.Family {
	case "niah":
		s.g = newNiah(c, t, f)
	case "vt":
		s.g = newVT(c, f)
	case "cwe":
		s.g = newCWE(c, f)
	case "fwe":
		s.g = newFWE(c, f)
	case "qa":
		s.g = &qa{f, c.QA}
	}
	return s, nil
}

// Sample returns sample i, from 0. For a task with documents there are as many as questions.
func (s *Series) Sample(i int) (Sample, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return Sample{}, s.err
	}
	if !s.started {
		s.started = true
		if s.err = s.start(); s.err != nil {
			return Sample{}, s.err
		}
	}
	for len(s.made) <= i {
		d, m, err := s.advance()
		if err != nil {
			return Sample{}, err
		}
		if s.made = append(s.made, m); len(s.made) == i+1 {
			return s.sample(d, m), nil
		}
	}
	m := s.made[i]
	from := streamsAt(m.from)
	d := s.g.draw(from, i, m.size)
	if s.example != nil {
		d = s.example.insert(from, d)
	}
	return s.sample(d, m), nil
}

func (s *Series) sample(d *draft, m made) Sample {
	prompt := d.text()
	prefix := data().Families[data().Tasks[s.Task].Family].Prefix
	return Sample{
		Prompt: prompt, Answers: slices.Clone(d.answers), Marks: d.passage().marks,
		Prefix: strings.LastIndex(prompt, prefix[:min(10, len(prefix))]), Size: m.size, Tokens: m.tokens,
	}
}

// start finds the size, and for vt the worked example before it.
func (s *Series) start() (err error) {
	switch g := s.g.(type) {
	case *fwe:
		if g.budget/50 <= fweAnswers {
			return s.short()
		}
		s.size, err = g.search(s.next, s.Count)
	case *vt:
		if err = s.workOut(newVTExample(g)); err == nil {
			s.size, err = s.search(g, s.next, s.Length, NewTokens(s.Task)+s.example.tokens)
		}
	default:
		s.size, err = s.search(g, s.next, s.Length, NewTokens(s.Task))
	}
	if errors.Is(err, errShort) {
		return s.short()
	}
	return err
}

func (s *Series) short() error {
	return fmt.Errorf("length %d: %w %s", s.Length, errShort, s.Task)
}

// workOut makes the worked example: a prompt of a budget of its own, with its answer.
func (s *Series) workOut(g *vt) error {
	older := s.Edition == Edition2024
	extra, after := 0, "\n"
	if older {
		extra, after = NewTokens(s.Task), "\n\n"
	}
	size, err := s.search(g, s.next, vtExample, extra)
	if err != nil {
		return err
	}
	d, _, err := s.fit(g, nil, 0, size, vtExample, extra)
	if err != nil {
		return err
	}
	text := d.text() + " " + strings.Join(d.answers, " ") + after
	tokens, err := s.Count(text)
	s.example = &workedExample{text: text, names: d.answers, tokens: tokens, at: len(s.Template.Head), older: older}
	return err
}

// advance makes the next sample.
func (s *Series) advance() (d *draft, m made, err error) {
	switch g := s.g.(type) {
	case *fwe:
		d, m, err = g.fit(s.next, s.size, s.Count)
	default:
		extra := NewTokens(s.Task)
		if s.example != nil && s.example.older {
			extra += s.example.tokens
		}
		d, m, err = s.fit(g, s.example, len(s.made), s.size, s.Length, extra)
	}
	if errors.Is(err, errShort) {
		err = s.short()
	}
	return d, m, err
}

// fit draws prompts, each smaller than the one before, until one fits a budget beside extra
// tokens. The worked example stands in the prompt, and in 2026 is part of what is counted.
func (s *Series) fit(g generator, example *workedExample, i, size, budget, extra int) (*draft, made, error) {
	for least := 0; ; {
		m := made{from: s.next.place(), size: size}
		d := g.draw(s.next, i, size)
		if d != nil && example != nil && !example.older {
			d = example.insert(s.next, d)
		}
		if d != nil {
			var err error
			if m.tokens, err = s.Count(d.text()); err != nil {
				return nil, m, err
			}
			if m.tokens+extra <= budget {
				if example != nil && example.older {
					d = example.insert(s.next, d)
					m.tokens += example.tokens
				}
				return d, m, nil
			}
		}
		switch least++; {
		case size > g.step() && least < tries:
			size -= g.step()
			least = 0
		case least == tries:
			size = g.step() * 9 / 10
		case least > tries:
			size = size * 9 / 10
		}
		if least > tries && size == 0 {
			return nil, made{}, errShort
		}
	}
}
