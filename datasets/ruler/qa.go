package ruler

import (
	"slices"
	"strconv"
	"strings"
)

// QA is questions about documents, of which each has its own.
type QA struct {
	Documents []string // distinct, sorted by code point
	Questions []Question
}

// Question is a question about documents, which are numbers in QA.Documents.
type Question struct {
	Text    string
	Answers []string
	Own     []int // that hold the answer
	Near    []int // of the same article, taken before any others; its own ones among them do not count
}

// qa asks a question about documents, its own among others.
type qa struct {
	frame frame
	*QA
}

func (g *qa) step() int { return 10 }

func (g *qa) most() (n int, whole bool) { return len(g.Documents), false }

// documents chooses size documents for a question, nil where the original's program fails.
func (g *qa) documents(s *streams, q *Question, size int) []int {
	if size >= len(g.Documents) {
		all := make([]int, size)
		for i := range all {
			all[i] = i % len(g.Documents)
		}
		return all
	}
	list := slices.Clone(q.Own)
	near := slices.DeleteFunc(slices.Clone(q.Near), func(i int) bool { return slices.Contains(q.Own, i) })
	more := size - len(q.Own)
	if more <= len(near) {
		if more < 0 {
			return nil
		}
		for _, i := range s.python.Sample(len(near), more) {
			list = append(list, near[i])
		}
		return list
	}
	list = append(list, near...)
	taken := distinctNumbers(list)
	for _, i := range s.python.Sample(len(g.Documents)-len(taken), max(0, size-len(list))) {
		// Document i of those that are not taken.
		for _, t := range taken {
			if t <= i {
				i++
			}
		}
		list = append(list, i)
	}
	return list
}

func distinctNumbers(list []int) []int {
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}

func (g *qa) draw(s *streams, index, size int) *draft {
	q := &g.Questions[index]
	documents := g.documents(s, q, size)
	if documents == nil {
		return nil
	}
	shuffle(documents)
	return &draft{answers: q.Answers, write: func(p *passage) { g.write(p, q, documents) }}
}

func (g *qa) write(p *passage, q *Question, documents []int) {
	var context passage
	for i, document := range documents {
		if i > 0 {
			context.write("\n\n")
		}
		context.write("Document " + strconv.Itoa(i+1) + ":\n")
		text := g.Documents[document]
		if !slices.Contains(q.Own, document) {
			context.write(text)
			continue
		}
		from := context.text.Len()
		context.mark("needle", text)
		for _, answer := range q.Answers {
			if at := strings.Index(text, answer); at >= 0 && answer != "" {
				context.marks = append(context.marks, Mark{"value", from + at, from + at + len(answer)})
				break
			}
		}
	}
	g.frame.fill(p, &context, "{query}", q.Text)
}
