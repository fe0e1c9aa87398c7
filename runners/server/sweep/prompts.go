package sweep

import (
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/snapbench/snapbench/datasets"
	"github.com/snapbench/snapbench/runners"
)

// noted is a task whose prompts are remembered as they are made for one server, so that the
// rows of another, which was never there to make any, can say what they would have been of.
type noted struct {
	datasets.Task
	by string // the variant whose server makes them

	mu      sync.Mutex
	samples map[int]datasets.Sample // by number
	zeros   []int32                 // stand for tokens where only their number counts
}

// note wraps tasks for the server of a variant.
func note(tasks []datasets.Task, v runners.Variant) []datasets.Task {
	list := make([]datasets.Task, len(tasks))
	for i, t := range tasks {
		list[i] = &noted{Task: t, by: v.String(), samples: map[int]datasets.Sample{}}
	}
	return list
}

// Sample makes a sample and remembers it.
func (t *noted) Sample(number int, m datasets.Model) datasets.Sample {
	s := t.Task.Sample(number, m)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.samples[number] = t.reduced(s)
	return s
}

// remembered is a noted task that gives what was noted, whatever the model.
type remembered struct{ *noted }

// Sample returns a noted sample, and says in its note whose prompt it is.
func (t remembered) Sample(number int, _ datasets.Model) datasets.Sample {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.samples[number]
	s.Note = strings.TrimPrefix(s.Note+"; the prompt is as "+t.by+" had it: this server was not there to make any", "; ")
	return s
}

// remember returns what note has wrapped as tasks to write errors by.
func remember(tasks []datasets.Task) []datasets.Task {
	list := make([]datasets.Task, len(tasks))
	for i, t := range tasks {
		list[i] = remembered{t.(*noted)}
	}
	return list
}

// mostTail is more of a prompt's end than a row keeps.
const mostTail = 4 << 10

// reduced is what rows say of a sample: of its prompt the end and the number of tokens, in
// place of text and tokens that may be megabytes.
func (t *noted) reduced(s datasets.Sample) datasets.Sample {
	from := max(0, len(s.Prompt)-mostTail)
	for from < len(s.Prompt) && !utf8.RuneStart(s.Prompt[from]) {
		from++
	}
	s.Prompt, s.Messages = strings.Clone(s.Prompt[from:]), nil
	if most := max(len(s.IDs), len(s.Question)); most > len(t.zeros) {
		t.zeros = make([]int32, 2*most)
	}
	s.IDs, s.Question = t.zeros[:len(s.IDs)], t.zeros[:len(s.Question)]
	return s
}
