package jinja

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// jsonWriter writes a value as Python's json.dumps does.
type jsonWriter struct {
	text
	ascii, sorted, pretty bool
	indent, item, key     string // item and key: the separators after an item and after a key
}

// tojson is the filter of the transformers library: plain JSON, neither escaped for
// HTML nor sorted.
func tojson(r *run, a []Value) (Value, error) {
	w := &jsonWriter{text: text{r: r}, item: ", ", key: ": "}
	w.ascii = a[1] != nil && truth(a[1])
	w.sorted = a[4] != nil && truth(a[4])
	if err := w.indentBy(a[2]); err != nil {
		return nil, err
	}
	if a[3] != nil && a[3] != (none{}) {
		items, _ := sequence(a[3])
		if len(items) != 2 {
			return nil, fail("TypeError", "separators: want a pair of texts")
		}
		var ok1, ok2 bool
		w.item, ok1 = textOf(items[0])
		w.key, ok2 = textOf(items[1])
		if !ok1 || !ok2 {
			return nil, fail("TypeError", "separators: want a pair of texts")
		}
	}
	w.write(a[0], 0, nil)
	return w.String(), w.err
}

func (w *jsonWriter) indentBy(v Value) error {
	switch v := v.(type) {
	case nil, none:
		return nil
	case string:
		w.indent = v
	case markup:
		w.indent = string(v)
	default:
		n, ok := wholeOf(v)
		if !ok {
			return fail("TypeError", "can't multiply sequence by non-int of type '%s'", typeName(v))
		}
		by := max(clamp(n), 0)
		if err := w.r.takeTimes(by, 1); err != nil {
			return err
		}
		w.indent = strings.Repeat(" ", int(by))
	}
	w.pretty, w.item = true, ","
	return nil
}

func (w *jsonWriter) line(depth int) {
	if w.pretty {
		w.add("\n")
		for range depth {
			w.add(w.indent)
		}
	}
}

func (w *jsonWriter) write(v Value, depth int, outer *within) {
	if w.err == nil {
		w.err = w.r.step(1)
	}
	if w.err == nil {
		defer func() { w.r.depth-- }()
		w.err = w.r.deeper()
	}
	if w.err != nil {
		return
	}
	if s, ok := textOf(v); ok {
		w.string(s)
		return
	}
	if items, ok := sequence(v); ok {
		if w.circular(v, outer) {
			return
		}
		w.add("[")
		for i, x := range items {
			if i > 0 {
				w.add(w.item)
			}
			w.line(depth + 1)
			w.write(x, depth+1, &within{v, outer})
			if w.err != nil {
				return
			}
		}
		if len(items) > 0 {
			w.line(depth)
		}
		w.add("]")
		return
	}
	if d, ok := v.(*dictValue); ok {
		if !w.circular(v, outer) {
			w.dict(d, depth, &within{v, outer})
		}
		return
	}
	s, ok, err := w.scalar(v)
	if w.err == nil {
		w.err = err
	}
	if !ok && w.err == nil {
		w.err = fail("TypeError", "Object of type %s is not JSON serializable", typeName(v))
	}
	w.add(s)
}

func (w *jsonWriter) circular(v Value, outer *within) bool {
	if outer.has(w.r, v) {
		w.err = fail("ValueError", "Circular reference detected")
		return true
	}
	return false
}

// scalar returns the JSON of a value that is neither text nor a collection.
func (w *jsonWriter) scalar(v Value) (string, bool, error) {
	switch v := v.(type) {
	case none:
		return "null", true, nil
	case bool:
		return fmt.Sprint(v), true, nil
	case int64, *big.Int:
		s, err := w.r.str(v)
		return s, true, err
	case float64:
		switch {
		case math.IsNaN(v):
			return "NaN", true, nil
		case math.IsInf(v, 1):
			return "Infinity", true, nil
		case math.IsInf(v, -1):
			return "-Infinity", true, nil
		}
		return floatRepr(v), true, nil
	}
	return "", false, nil
}

func (w *jsonWriter) dict(d *dictValue, depth int, outer *within) {
	order := make([]int, len(d.keys))
	for i := range order {
		order[i] = i
	}
	if w.sorted {
		slices.SortStableFunc(order, func(i, k int) int {
			less, err := w.r.order("<", d.keys[i], d.keys[k])
			if err != nil && w.err == nil {
				w.err = err
			}
			if less {
				return -1
			}
			more, _ := w.r.order("<", d.keys[k], d.keys[i])
			if more {
				return 1
			}
			return 0
		})
	}
	w.add("{")
	for n, i := range order {
		if n > 0 {
			w.add(w.item)
		}
		w.line(depth + 1)
		k, ok := textOf(d.keys[i])
		if !ok {
			var err error
			if k, ok, err = w.scalar(d.keys[i]); err != nil && w.err == nil {
				w.err = err
			}
			if !ok && w.err == nil {
				w.err = fail("TypeError", "keys must be str, int, float, bool or None, not %s", typeName(d.keys[i]))
			}
		}
		w.string(k)
		w.add(w.key)
		w.write(d.values[i], depth+1, outer)
		if w.err != nil {
			return
		}
	}
	if len(order) > 0 {
		w.line(depth)
	}
	w.add("}")
}

func (w *jsonWriter) string(s string) {
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range s {
		if n := strings.IndexRune("\"\\\n\r\t\b\f", c); n >= 0 {
			b.WriteByte('\\')
			b.WriteByte("\"\\nrtbf"[n])
			continue
		}
		switch {
		case c < 0x20 || w.ascii && c > 0x7e && c < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, c)
		case w.ascii && c > utf8.RuneSelf:
			high, low := utf16.EncodeRune(c)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			b.WriteRune(c)
		}
	}
	b.WriteByte('"')
	w.add(b.String())
}
