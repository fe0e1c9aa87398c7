package jinja

import (
	"fmt"
	"math/big"
	"strings"
	"unicode"
)

// repr is Python's repr of a text.
func repr(s string) string {
	quote := byte('\'')
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		quote = '"'
	}
	var b strings.Builder
	b.Grow(len(s) + 2)
	b.WriteByte(quote)
	for _, r := range s {
		switch {
		case r == rune(quote) || r == '\\':
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
		default:
			b.WriteString(escapeRune(r))
		}
	}
	b.WriteByte(quote)
	return b.String()
}

// escapeRune returns Python's escape of a character.
func escapeRune(r rune) string {
	switch {
	case r < 0x100:
		return fmt.Sprintf(`\x%02x`, r)
	case r < 0x10000:
		return fmt.Sprintf(`\u%04x`, r)
	}
	return fmt.Sprintf(`\U%08x`, r)
}

// str is Python's str of a value.
func (r *run) str(v Value) (string, error) {
	if s, ok := textOf(v); ok {
		return s, nil
	}
	t := text{r: r}
	r.write(&t, v, nil)
	return t.String(), t.err
}

// repr is Python's repr of a value.
func (r *run) repr(v Value) (string, error) {
	t := text{r: r}
	r.writeRepr(&t, v, nil)
	return t.String(), t.err
}

// within lists the collections around the value that is written. A collection that
// contains itself is written as three dots.
type within struct {
	value Value
	outer *within
}

func (w *within) has(r *run, v Value) bool {
	for ; w != nil; w = w.outer {
		r.steps++ // the caller compares it with the limit
		if w.value == v {
			return true
		}
	}
	return false
}

func (r *run) writeRepr(t *text, v Value, w *within) {
	switch v := v.(type) {
	case string:
		t.add(repr(v))
	case markup:
		t.add("Markup(" + repr(string(v)) + ")")
	case *undefined:
		t.add("Undefined")
	default:
		r.write(t, v, w)
	}
}

func (r *run) write(t *text, v Value, w *within) {
	if t.err == nil {
		t.err = r.step(1)
	}
	if t.err == nil {
		defer func() { r.depth-- }()
		t.err = r.deeper()
	}
	if t.err != nil {
		return
	}
	switch v := v.(type) {
	case string:
		t.add(v)
	case markup:
		t.add(string(v))
	case none:
		t.add("None")
	case bool:
		if v {
			t.add("True")
		} else {
			t.add("False")
		}
	case int64:
		t.add(fmt.Sprint(v))
	case *big.Int:
		if t.err = r.step(v.BitLen() >> 3); t.err != nil {
			return
		}
		s := v.String()
		if len(strings.TrimPrefix(s, "-")) > maxDigits {
			t.err = fail("ValueError", "Exceeds the limit (%d digits) for integer string conversion", maxDigits)
		}
		t.add(s)
	case float64:
		t.add(floatRepr(v))
	case *undefined:
	case *listValue:
		r.writeItems(t, "[", "]", v, v.items, w)
	case *tupleValue:
		end := ")"
		if len(v.items) == 1 {
			end = ",)"
		}
		r.writeItems(t, "(", end, v, v.items, w)
	case *dictValue:
		r.writeDict(t, v, w)
	case *rangeValue:
		t.add(fmt.Sprintf("range(%d, %d", v.start, v.stop))
		if v.step != 1 {
			t.add(fmt.Sprintf(", %d", v.step))
		}
		t.add(")")
	case *view:
		t.add(v.kind + "(")
		if t.err = r.takeTimes(int64(len(v.dict.keys)), valueBytes); t.err == nil {
			r.writeItems(t, "[", "]", v.dict, v.items(), w)
		}
		t.add(")")
	case *namespaceValue:
		t.add("<Namespace ")
		r.writeDict(t, v.dict, w)
		t.add(">")
	case *macroValue:
		if v.name == "" {
			t.add("<Macro anonymous>")
		} else {
			t.add("<Macro " + repr(v.name) + ">")
		}
	case *loopValue:
		n, err := v.length(r)
		if err != nil {
			t.err = err
			return
		}
		t.add(fmt.Sprintf("<LoopContext %d/%d>", v.index0+1, n))
	default:
		t.err = fail(Unsupported, "the text of a %s, which has an address in Python", typeName(v))
	}
}

func (r *run) writeItems(t *text, begin, end string, v Value, items []Value, w *within) {
	if w.has(r, v) {
		t.add(begin + "..." + strings.TrimPrefix(end, ","))
		return
	}
	t.add(begin)
	for i, x := range items {
		if t.err != nil {
			return
		}
		if i > 0 {
			t.add(", ")
		}
		r.writeRepr(t, x, &within{v, w})
	}
	t.add(end)
}

func (r *run) writeDict(t *text, d *dictValue, w *within) {
	if w.has(r, d) {
		t.add("{...}")
		return
	}
	t.add("{")
	for i, k := range d.keys {
		if t.err != nil {
			return
		}
		if i > 0 {
			t.add(", ")
		}
		r.writeRepr(t, k, &within{d, w})
		t.add(": ")
		r.writeRepr(t, d.values[i], &within{d, w})
	}
	t.add("}")
}
