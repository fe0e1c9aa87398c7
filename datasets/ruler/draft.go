package ruler

import (
	"strconv"
	"strings"
	"unicode"

	"github.com/snapbench/snapbench/datasets/internal/pyrandom"
)

// draft is a prompt that was drawn and may turn out too long. It is put into words only where
// somebody asks for them, as most probes of a search need not be.
type draft struct {
	answers []string
	write   func(p *passage)
	prompt  *passage // once written
}

// passage returns the prompt with its marks.
func (d *draft) passage() *passage {
	if d.prompt == nil {
		d.prompt = &passage{}
		d.write(d.prompt)
	}
	return d.prompt
}

func (d *draft) text() string { return d.passage().text.String() }

// generator draws prompts of one task.
type generator interface {
	// step is by how much a size changes.
	step() int
	// draw makes the prompt of sample index at a size. It is nil where the original's
	// program fails, which then draws again as if the prompt were too long.
	draw(s *streams, index, size int) *draft
}

// streams are what the originals draw from: Python's and numpy's generators, seeded once.
type streams struct {
	python *pyrandom.Random
	numpy  *pyrandom.NumPy
}

// place is how far streams were drawn from.
type place struct{ python, numpy int }

func (s *streams) place() place { return place{s.python.Position(), s.numpy.Position()} }

// streamsAt are streams that were drawn from as far as a place.
func streamsAt(p place) *streams {
	s := newStreams()
	s.python.Skip(p.python)
	s.numpy.Skip(p.numpy)
	return s
}

// seed is the originals' default.
const seed = 42

func newStreams() *streams { return &streams{pyrandom.New(seed), pyrandom.NewNumPy(seed)} }

const (
	capitals = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	letters  = "abcdefghijklmnopqrstuvwxyz"
)

// numbered is "1. one 2. two …".
func numbered(words []string) string {
	var b strings.Builder
	for i, w := range words {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(strconv.Itoa(i + 1))
		b.WriteString(". ")
		b.WriteString(w)
	}
	return b.String()
}

// pythonList is repr of a list of strings.
func pythonList(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = pythonQuote(s)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// pythonQuote is repr of a string: single quotes, unless only these occur in it.
func pythonQuote(s string) string {
	quote := '\''
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		quote = '"'
	}
	var b strings.Builder
	b.WriteRune(quote)
	for _, r := range s {
		switch {
		case r == quote || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r < 0x100:
			b.WriteString(`\x` + escape(r, 2))
		case r < 0x10000:
			b.WriteString(`\u` + escape(r, 4))
		default:
			b.WriteString(`\U` + escape(r, 8))
		}
	}
	b.WriteRune(quote)
	return b.String()
}

func escape(r rune, digits int) string {
	text := strconv.FormatInt(int64(r), 16)
	return strings.Repeat("0", digits-len(text)) + text
}
