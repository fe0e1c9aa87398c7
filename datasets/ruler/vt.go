package ruler

import (
	"slices"
	"strconv"
	"strings"
)

const (
	vtNames   = 5   // variables of the one chain
	vtExample = 500 // budget of the worked example in tokens
	vtValue   = "12345"
)

// vt hides a chain of assignments among lines of noise and asks which variables hold its value.
// A worked example of the same comes first (workedExample).
type vt struct {
	frame   frame
	older   bool
	inc     int
	letters int  // of a name
	example bool // the chain is that of the worked example
}

func newVT(c Config, f frame) *vt {
	g := &vt{frame: f, older: c.Edition == Edition2024, inc: 10, letters: 5}
	if !g.older && c.Length < 4096 {
		g.inc = 5
	}
	return g
}

// newVTExample is the generator of the worked example before the prompts of g.
func newVTExample(g *vt) *vt {
	e := &vt{frame: g.frame.bare(), older: g.older, inc: 5, letters: 3, example: true}
	if g.older { // words joined by single spaces, the last one before the answer's beginning lost
		words := strings.Fields(g.frame.task + g.frame.Tail)
		e.frame.task = strings.Join(words[:len(words)-1], " ")
	}
	return e
}

func (g *vt) step() int { return g.inc }

func (g *vt) draw(s *streams, _, size int) *draft {
	var names []string
	for len(names) < vtNames || len(distinct(names)) < vtNames {
		names = append(names, s.python.Letters(capitals, g.letters))
	}
	value := vtValue
	if g.older || !g.example {
		value = strconv.Itoa(s.numpy.Integer(10000, 99999))
		if len(names) > vtNames { // of a second chain, for which there are too few names
			s.numpy.Integer(10000, 99999)
		}
	}
	if len(names) > vtNames {
		return nil
	}
	line, join := data().Noise, "\n"
	if g.older {
		line, join = line+"\n", " "
	}
	lines := slices.Repeat([]string{line}, size)
	if g.older && size <= vtNames {
		lines = atPeriods(lines)
	}
	if len(lines) < vtNames {
		return nil
	}
	places := s.python.Sample(len(lines), vtNames)
	slices.Sort(places)
	return &draft{answers: names, write: func(p *passage) {
		g.frame.fill(p, chain(lines, places, names, value, join), "{query}", value, "{num_v}", strconv.Itoa(vtNames))
	}}
}

// chain hides the assignments of a chain before those lines.
func chain(lines []string, places []int, names []string, value, join string) *passage {
	needles := make([]string, len(names))
	for i, name := range names {
		if needles[i] = "VAR " + name + " = " + value; i > 0 {
			needles[i] = "VAR " + name + " = VAR " + names[i-1] + " "
		}
	}
	var all []string
	for i, line := range lines {
		for k, place := range places {
			if place == i {
				all = append(all, needles[k])
			}
		}
		all = append(all, line)
	}
	text := strings.ReplaceAll(strings.Join(all, join), ". \n", ".\n")
	context := &passage{}
	for i, needle := range needles {
		before, after, _ := strings.Cut(text, needle)
		context.write(before)
		context.hide(needle, len("VAR "), names[i])
		text = after
	}
	context.write(text)
	return context
}

// atPeriods cuts lines at their periods. A piece that is not blank has its period back.
func atPeriods(lines []string) []string {
	var pieces []string
	for _, line := range lines {
		for _, piece := range strings.Split(line, ".") {
			if strings.TrimSpace(piece) != "" {
				piece += "."
			}
			pieces = append(pieces, piece)
		}
	}
	return pieces
}

// workedExample is the solved question before the prompts of vt.
type workedExample struct {
	text   string
	names  []string
	tokens int
	at     int // where in a prompt it goes: after the chat template's opening
	older  bool
}

// insert puts the example into a prompt. In 2026 each prompt gets it with names and a value of
// its own.
func (w *workedExample) insert(s *streams, d *draft) *draft {
	text := " " + w.text + "\n\n"
	if !w.older {
		text = w.text
		for _, name := range w.names {
			text = strings.ReplaceAll(text, name, s.python.Letters(capitals, len(name)))
		}
		text = strings.ReplaceAll(text, vtValue, strconv.Itoa(s.numpy.Integer(10000, 99999))) + "\n"
	}
	return &draft{answers: d.answers, write: func(p *passage) {
		prompt := d.text()
		p.write(prompt[:w.at] + text + prompt[w.at:])
		for _, m := range d.passage().marks {
			p.marks = append(p.marks, Mark{m.Name, m.From + len(text), m.To + len(text)})
		}
	}}
}
