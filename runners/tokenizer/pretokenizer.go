package tokenizer

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// splitter is one step of pre-tokenizing. It appends the pieces of s to dst. atStart says that s is at the start of the
// text to encode.
type splitter interface {
	split(dst []string, s string, atStart bool) ([]string, error)
}

// scanSplitter returns the length of the first piece; split cuts off the first piece until nothing is left.
type scanSplitter func(string) int

func (scan scanSplitter) split(dst []string, s string, _ bool) ([]string, error) {
	for len(s) > 0 {
		n := scan(s)
		dst = append(dst, s[:n])
		s = s[n:]
	}
	return dst, nil
}

// scanDigit makes every number character a separate piece.
func scanDigit(s string) int {
	t := kinds()
	if k, n := kindAt(t, s, 0); k == number {
		return n
	}
	return notNumbers(t, s)
}

// scanDigits keeps neighbouring number characters together.
func scanDigits(s string) int {
	t := kinds()
	if end := run(t, s, 0, number, unlimited); end > 0 {
		return end
	}
	return notNumbers(t, s)
}

func notNumbers(t *[1 << 16]kind, s string) int {
	i := 0
	for i < len(s) {
		k, n := kindAt(t, s, i)
		if k == number {
			break
		}
		i += n
	}
	return i
}

// behavior says what happens to the matches of a Split, with the names of tokenizer.json.
type behavior string

const (
	removed            behavior = "Removed"
	isolated           behavior = "Isolated"
	contiguous         behavior = "Contiguous"
	mergedWithPrevious behavior = "MergedWithPrevious"
	mergedWithNext     behavior = "MergedWithNext"
)

// delimiterSplitter splits at the matches of an expression or at a literal string.
type delimiterSplitter struct {
	expr    *pattern
	literal string // used if expr is nil
	how     behavior
	invert  bool // the text between matches is the delimiter
}

// span is a stretch of text: a match, or the text between two matches.
type span struct {
	start, end int
	match      bool
}

func (d *delimiterSplitter) split(dst []string, s string, _ bool) ([]string, error) {
	spans, err := d.spans(s)
	if err != nil {
		return nil, err
	}
	switch d.how {
	case removed:
		kept := spans[:0]
		for _, sp := range spans {
			if !sp.match {
				kept = append(kept, sp)
			}
		}
		spans = kept
	case contiguous:
		spans = join(spans, func(a, b span) bool { return a.match == b.match })
	case mergedWithPrevious:
		spans = join(spans, func(a, b span) bool { return !a.match && b.match })
	case mergedWithNext:
		spans = join(spans, func(a, b span) bool { return a.match && !b.match })
	}
	for _, sp := range spans {
		dst = append(dst, s[sp.start:sp.end])
	}
	return dst, nil
}

// join joins neighbours a and b if together(a, b), where a and b are spans of the original list.
func join(spans []span, together func(a, b span) bool) []span {
	var out []span
	for i, sp := range spans {
		if i > 0 && together(spans[i-1], sp) {
			out[len(out)-1].end = sp.end
		} else {
			out = append(out, sp)
		}
	}
	return out
}

func (d *delimiterSplitter) spans(s string) ([]span, error) {
	var spans []span
	add := func(start, end int, match bool) {
		if start < end {
			spans = append(spans, span{start, end, match != d.invert})
		}
	}
	done := 0
	var m *matcher
	if d.expr != nil {
		m = d.expr.matcher(s)
	}
	for done < len(s) {
		var start, end int
		if m != nil {
			var err error
			if start, end, err = m.find(done); err != nil {
				return nil, err
			}
		} else if start = strings.Index(s[done:], d.literal); start >= 0 {
			start += done
			end = start + len(d.literal)
		}
		if start < 0 {
			break
		}
		add(done, start, false)
		add(start, end, true)
		done = end
	}
	add(done, len(s), false)
	return spans, nil
}

// metaspace marks word beginnings as SentencePiece does: spaces become a visible mark, one mark is put in front, and the
// text is cut before each mark.
type metaspace struct {
	mark   string
	scheme string // when to put a mark in front: always, first (only at the start of the text) or never
	cut    bool
}

func (m *metaspace) split(dst []string, s string, atStart bool) ([]string, error) {
	s = strings.ReplaceAll(s, " ", m.mark)
	if (m.scheme == "always" || m.scheme == "first" && atStart) && !strings.HasPrefix(s, m.mark) {
		s = m.mark + s
	}
	for m.cut {
		_, size := utf8.DecodeRuneInString(s) // skips the mark at the start, which is one character
		n := strings.Index(s[size:], m.mark)
		if n < 0 {
			break
		}
		dst = append(dst, s[:size+n])
		s = s[size+n:]
	}
	if s == "" {
		return dst, nil
	}
	return append(dst, s), nil
}

// prefixSpace is the add_prefix_space of ByteLevel.
type prefixSpace struct{}

func (prefixSpace) split(dst []string, s string, _ bool) ([]string, error) {
	if !strings.HasPrefix(s, " ") {
		s = " " + s
	}
	return append(dst, s), nil
}

// preTokenizer is the chain of steps. byteLevel says that the model encodes the bytes of the pieces.
type preTokenizer struct {
	steps     []splitter
	byteLevel bool
}

// component is any part of a tokenizer.json: it has a type, and the fields of all types.
type component struct {
	Type          string            `json:"type"`
	Normalizers   []json.RawMessage `json:"normalizers"`
	PreTokenizers []json.RawMessage `json:"pretokenizers"`
	Processors    []json.RawMessage `json:"processors"`
	Decoders      []json.RawMessage `json:"decoders"`

	Pattern struct {
		String *string `json:"String"`
		Regex  *string `json:"Regex"`
	} `json:"pattern"`
	Content string `json:"content"` // Replace: the replacement; Strip: the character

	Prepend string `json:"prepend"`

	Behavior         behavior `json:"behavior"`
	Invert           bool     `json:"invert"`
	AddPrefixSpace   *bool    `json:"add_prefix_space"`
	UseRegex         *bool    `json:"use_regex"`
	IndividualDigits bool     `json:"individual_digits"`
	Replacement      string   `json:"replacement"`
	PrependScheme    string   `json:"prepend_scheme"`
	Split            *bool    `json:"split"`

	Start int `json:"start"`
	Stop  int `json:"stop"`
}

// maxNesting is the largest depth of sequences within sequences.
const maxNesting = 16

func isNull(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

func readComponent(part string, raw json.RawMessage, depth int) (component, error) {
	var c component
	if depth > maxNesting {
		return c, fmt.Errorf("%s: sequences nested deeper than %d", part, maxNesting)
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		return c, fmt.Errorf("%s: %w", part, err)
	}
	return c, nil
}

func (p *preTokenizer) read(raw json.RawMessage, depth int) error {
	const part = "pre_tokenizer"
	if isNull(raw) {
		return nil
	}
	c, err := readComponent(part, raw, depth)
	if err != nil {
		return err
	}
	if p.byteLevel {
		return unsupported(part, fmt.Sprintf("%q after ByteLevel", c.Type))
	}
	switch c.Type {
	case "Sequence":
		for _, r := range c.PreTokenizers {
			if err := p.read(r, depth+1); err != nil {
				return err
			}
		}
	case "ByteLevel":
		if c.AddPrefixSpace == nil || *c.AddPrefixSpace {
			p.steps = append(p.steps, prefixSpace{})
		}
		if c.UseRegex == nil || *c.UseRegex {
			p.steps = append(p.steps, scanSplitter(scanGPT2))
		}
		p.byteLevel = true
	case "Digits":
		if c.IndividualDigits {
			p.steps = append(p.steps, scanSplitter(scanDigit))
		} else {
			p.steps = append(p.steps, scanSplitter(scanDigits))
		}
	case "Metaspace":
		m, err := c.metaspace(part)
		if err != nil {
			return err
		}
		if m.scheme == "first" && p.removes() {
			return unsupported(part, "Metaspace with prepend_scheme first after a Split that removes text")
		}
		p.steps = append(p.steps, m)
	case "Split":
		s, err := c.splitter(part)
		if err != nil {
			return err
		}
		p.steps = append(p.steps, s)
	default:
		return unsupported(part, fmt.Sprintf("%q", c.Type))
	}
	return nil
}

// removes reports whether a step drops text. After it, the first piece may not be the start of the text.
func (p *preTokenizer) removes() bool {
	return slices.ContainsFunc(p.steps, func(s splitter) bool {
		d, ok := s.(*delimiterSplitter)
		return ok && d.how == removed
	})
}

func (c *component) splitter(part string) (splitter, error) {
	switch c.Behavior {
	case removed, isolated, contiguous, mergedWithPrevious, mergedWithNext:
	default:
		return nil, unsupported(part, fmt.Sprintf("Split behavior %q", c.Behavior))
	}
	d := &delimiterSplitter{how: c.Behavior, invert: c.Invert}
	switch {
	case c.Pattern.Regex != nil:
		if scan, ok := scanners[*c.Pattern.Regex]; ok && c.Behavior == isolated {
			return scanSplitter(scan), nil // invert makes no difference, because every piece is isolated
		}
		expr, err := compilePattern(*c.Pattern.Regex)
		if err != nil {
			return nil, fmt.Errorf("%s Split: %w; --tokenizer sugarme may read it", part, err)
		}
		d.expr = expr
	case c.Pattern.String != nil && *c.Pattern.String != "":
		d.literal = *c.Pattern.String
	default:
		return nil, fmt.Errorf("%s Split: no pattern", part)
	}
	return d, nil
}

func (c *component) metaspace(part string) (*metaspace, error) {
	m := &metaspace{mark: c.Replacement, scheme: c.PrependScheme, cut: c.Split == nil || *c.Split}
	if utf8.RuneCountInString(m.mark) != 1 {
		return nil, fmt.Errorf("%s Metaspace: replacement %q is not one character", part, m.mark)
	}
	if m.scheme == "" { // old files do not have prepend_scheme
		m.scheme = "always"
		if c.AddPrefixSpace != nil && !*c.AddPrefixSpace {
			m.scheme = "never"
		}
	}
	if m.scheme != "always" && m.scheme != "first" && m.scheme != "never" {
		return nil, fmt.Errorf("%s Metaspace: unknown prepend_scheme %q: have always, first, never", part, m.scheme)
	}
	return m, nil
}
