package ruler

import "strings"

// Mark is a passage of a sample's prompt that an audit asks about.
type Mark struct {
	Name     string // "needle": what holds the answer; "value": the answer in it; "question"
	From, To int    // bytes of the prompt, half-open
}

// passage is a text that knows where its marks are.
type passage struct {
	text  strings.Builder
	marks []Mark
}

func (p *passage) write(text string) { p.text.WriteString(text) }

// mark writes a text under a name.
func (p *passage) mark(name, text string) {
	from := p.text.Len()
	p.text.WriteString(text)
	p.marks = append(p.marks, Mark{name, from, p.text.Len()})
}

// hide writes a needle, which holds a value at an offset.
func (p *passage) hide(needle string, at int, value string) {
	from := p.text.Len()
	p.mark("needle", needle)
	p.marks = append(p.marks, Mark{"value", from + at, from + at + len(value)})
}

// add writes another passage with its marks.
func (p *passage) add(other *passage) {
	from := p.text.Len()
	p.write(other.text.String())
	for _, m := range other.marks {
		p.marks = append(p.marks, Mark{m.Name, from + m.From, from + m.To})
	}
}
