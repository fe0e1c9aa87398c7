package tokenizer

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Decoding is a chain of sinks. Each passes on the text that later tokens cannot change, so decoding at once and token
// by token use the same code.

// sink takes the strings of tokens, one by one.
type sink interface {
	token(s string)
	// end says that no token follows. The sink passes on what it held back, but does not call end of the next sink.
	end()
}

// decodeStep makes a sink that feeds next.
type decodeStep func(next sink) sink

// textSink collects the text at the end of the chain.
type textSink struct{ strings.Builder }

func (t *textSink) token(s string) { t.WriteString(s) }
func (t *textSink) end()           {}

// byteLevelSink turns byte-level tokens into text. It holds back a character until its bytes are complete.
type byteLevelSink struct {
	next    sink
	pending []byte
}

func (b *byteLevelSink) token(s string) {
	b.pending = unbyteLevel(b.pending, s)
	b.write(false)
}

func (b *byteLevelSink) end() { b.write(true) }

func (b *byteLevelSink) write(atEnd bool) {
	var w strings.Builder
	rest := lossyUTF8(&w, b.pending, atEnd)
	b.pending = append(b.pending[:0], rest...)
	if w.Len() > 0 {
		b.next.token(w.String())
	}
}

// byteFallbackSink turns runs of byte tokens into text. If a run as a whole is not UTF-8, each of its bytes becomes
// U+FFFD, so a run is held back until it ends.
type byteFallbackSink struct {
	next sink
	run  []byte
}

func (b *byteFallbackSink) token(s string) {
	if c, ok := byteToken(s); ok {
		b.run = append(b.run, c)
		return
	}
	b.end()
	b.next.token(s)
}

func (b *byteFallbackSink) end() {
	switch {
	case len(b.run) == 0:
		return
	case utf8.Valid(b.run):
		b.next.token(string(b.run))
	default:
		for range b.run {
			b.next.token("\uFFFD")
		}
	}
	b.run = b.run[:0]
}

// mapSink applies f to every token.
type mapSink struct {
	next sink
	f    func(string) string
}

func (m *mapSink) token(s string) { m.next.token(m.f(s)) }
func (m *mapSink) end()           {}

// stripStartSink drops up to n characters char from the start of the text.
type stripStartSink struct {
	next sink
	char rune
	n    int
}

func (s *stripStartSink) token(str string) {
	for s.n > 0 && str != "" {
		r, size := utf8.DecodeRuneInString(str)
		if r != s.char {
			s.n = 0
			break
		}
		str = str[size:]
		s.n--
	}
	if str != "" {
		s.next.token(str)
	}
}

func (s *stripStartSink) end() {}

// metaspaceSink turns the marks of word beginnings into spaces. It removes those of the first token, which the encoder
// adds, unless keep is set.
type metaspaceSink struct {
	next    sink
	mark    string
	started bool
	keep    bool // turn the first token's marks into spaces, too
}

func (m *metaspaceSink) token(s string) {
	space := " "
	if !m.started && !m.keep {
		space = ""
	}
	m.started = true
	m.next.token(strings.ReplaceAll(s, m.mark, space))
}

func (m *metaspaceSink) end() {}

// spacedSink puts spaces between tokens. A tokenizer.json without a decoder means this.
type spacedSink struct {
	next    sink
	started bool
}

func (s *spacedSink) token(str string) {
	if s.started {
		s.next.token(" ")
	}
	s.started = true
	s.next.token(str)
}

func (s *spacedSink) end() {}

// wholeSink waits for the end and passes on everything as one token.
type wholeSink struct {
	next sink
	all  strings.Builder
}

func (w *wholeSink) token(s string) { w.all.WriteString(s) }

func (w *wholeSink) end() {
	if w.all.Len() > 0 {
		w.next.token(w.all.String())
		w.all.Reset()
	}
}

// decoderReader collects the steps of a decoder.
type decoderReader struct {
	steps  []decodeStep
	growth int
	// fused says that an earlier step joins all tokens into one. The next sinks get that token in pieces; a step that
	// needs it as a whole must come after a wholeSink.
	fused bool
}

// add appends a step that needs whole tokens.
func (d *decoderReader) add(step decodeStep) {
	if d.fused {
		d.steps = append(d.steps, func(next sink) sink { return &wholeSink{next: next} })
	}
	d.steps = append(d.steps, step)
}

func (d *decoderReader) read(raw json.RawMessage, depth int) error {
	const part = "decoder"
	c, err := readComponent(part, raw, depth)
	if err != nil {
		return err
	}
	if err := c.allow(part, &d.growth); err != nil {
		return err
	}
	switch c.Type {
	case "Sequence":
		for _, r := range c.Decoders {
			if err := d.read(r, depth+1); err != nil {
				return err
			}
		}
	case "ByteLevel":
		d.add(func(next sink) sink { return &byteLevelSink{next: next} })
		d.fused = true
	case "ByteFallback":
		d.add(func(next sink) sink { return &byteFallbackSink{next: next} })
	case "Fuse":
		d.fused = true
	case "Strip":
		return d.readStrip(part, c)
	case "Replace":
		if c.Pattern.String == nil || *c.Pattern.String == "" { // no expressions: they may fail, and Decode returns no error
			return unsupported(part, "Replace by anything but a string")
		}
		d.add(func(next sink) sink {
			return &mapSink{next, func(s string) string { return strings.ReplaceAll(s, *c.Pattern.String, c.Content) }}
		})
	case "Metaspace":
		m, err := c.metaspace(part)
		if err != nil {
			return err
		}
		d.add(func(next sink) sink {
			return &metaspaceSink{next: next, mark: m.mark, keep: m.scheme == "never"}
		})
	default:
		return unsupported(part, fmt.Sprintf("%q", c.Type))
	}
	return nil
}

func (d *decoderReader) readStrip(part string, c component) error {
	char, size := utf8.DecodeRuneInString(c.Content)
	if size == 0 || size != len(c.Content) {
		return fmt.Errorf("%s Strip: content %q is not one character", part, c.Content)
	}
	if c.Start < 0 || c.Stop < 0 {
		return fmt.Errorf("%s Strip: negative count", part)
	}
	if d.fused && c.Stop == 0 {
		d.steps = append(d.steps, func(next sink) sink {
			return &stripStartSink{next: next, char: char, n: c.Start}
		})
		return nil
	}
	d.add(func(next sink) sink {
		return &mapSink{next, func(s string) string { return strip(s, char, c.Start, c.Stop) }}
	})
	return nil
}

// strip drops up to start characters char from the start of s and up to stop from its end.
func strip(s string, char rune, start, stop int) string {
	for ; start > 0; start-- {
		r, size := utf8.DecodeRuneInString(s)
		if size == 0 || r != char {
			break
		}
		s = s[size:]
	}
	for ; stop > 0; stop-- {
		r, size := utf8.DecodeLastRuneInString(s)
		if size == 0 || r != char {
			break
		}
		s = s[:len(s)-size]
	}
	return s
}

// decoding is one run of a decoder.
type decoding struct {
	text  textSink
	sinks []sink // first to last
}

func newDecoding(steps []decodeStep) *decoding {
	d := &decoding{sinks: make([]sink, len(steps)+1)}
	d.sinks[len(steps)] = &d.text
	for i := len(steps) - 1; i >= 0; i-- {
		d.sinks[i] = steps[i](d.sinks[i+1])
	}
	return d
}

func (d *decoding) end() {
	for _, s := range d.sinks {
		s.end()
	}
}
