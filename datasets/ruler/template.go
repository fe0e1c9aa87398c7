package ruler

import "strings"

// Template is a chat template: the texts around a user's message. The zero value is RULER's
// "base", none.
type Template struct {
	Head, Tail string
	// Rewrite says that the words in which a question for one answer differs are replaced in
	// the template's own words, too, as RULER does ("You are a helpful" becomes "You is a
	// helpful").
	Rewrite bool
}

const contextMark = "{context}"

// frame is a task's whole template, cut at the context.
type frame struct {
	Template
	task   string // the task's words, contextMark in them
	prefix string // the answer's beginning
}

// whole is the template as one text, as the originals pass it on.
func (f frame) whole() string { return f.Head + f.task + f.Tail + f.prefix }

// bare is the frame without the chat template.
func (f frame) bare() frame { return frame{task: f.task, prefix: f.prefix} }

// forOne is the template of a question that has one answer.
func (f frame) forOne() frame {
	one := func(text string) string {
		text = strings.ReplaceAll(text, "Some", "A")
		text = strings.ReplaceAll(text, "are all", "is")
		return strings.ReplaceAll(text, "are", "is")
	}
	f.task, f.prefix = one(f.task), one(f.prefix)
	if f.Rewrite {
		f.Head, f.Tail = one(f.Head), one(f.Tail)
	}
	return f
}

// fill writes the prompt: the template with the context and other values. Values come in pairs
// of a placeholder and its text.
func (f frame) fill(p *passage, context *passage, values ...string) {
	fill := strings.NewReplacer(values...)
	before, after, _ := strings.Cut(f.task, contextMark)
	p.write(f.Head)
	p.write(fill.Replace(before))
	p.add(context)
	question := fill.Replace(after)
	trimmed := strings.TrimLeft(question, "\n")
	p.write(question[:len(question)-len(trimmed)])
	p.mark("question", trimmed)
	p.write(f.Tail)
	p.write(fill.Replace(f.prefix))
}
