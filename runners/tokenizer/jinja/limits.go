package jinja

import (
	"strings"
	"time"
)

// run is one rendering.
type run struct {
	limits Limits
	now    time.Time
	names  map[string]Value // the caller's variables and the language's functions
	out    *strings.Builder
	at     *activation

	steps int
	used  int64 // bytes of text and lists made
	depth int
}

// activation holds the variables of a function that is running.
type activation struct {
	slots  []Value
	parent *activation // in which the function was defined
}

func newActivation(f *function, parent *activation) *activation {
	return &activation{make([]Value, len(f.slots)), parent}
}

// The approximate memory of values, in bytes.
const (
	itemBytes  = 16 // of an item of a list
	entryBytes = 64 // of an entry of a dictionary
	valueBytes = 48 // of any small value
)

// step counts n units of work.
func (r *run) step(n int) error {
	if r.steps += n; r.steps > r.limits.Steps {
		return fail(OverLimit, "more than %d steps", r.limits.Steps)
	}
	return nil
}

// scan counts the work of reading n bytes of text.
func (r *run) scan(n int) error { return r.step(n >> 8) }

// take counts n bytes before they are allocated.
func (r *run) take(n int) error {
	if n < 0 || int64(n) > r.limits.Memory-r.used {
		return fail(OverLimit, "more than %d MiB of text and lists", r.limits.Memory>>20)
	}
	r.used += int64(n)
	return nil
}

// takeTimes counts n times size bytes. The product may overflow an int.
func (r *run) takeTimes(n, size int64) error {
	if n > 0 && size > 0 && (n > r.limits.Memory || size > r.limits.Memory/n) {
		return r.take(-1)
	}
	return r.take(int(max(n, 0) * size))
}

// makeText counts a new text and returns it.
func (r *run) makeText(s string) (Value, error) { return s, r.take(len(s)) }

// makeList counts a new list and returns it.
func (r *run) makeList(items []Value) (Value, error) {
	return &listValue{items}, r.take(valueBytes + itemBytes*len(items))
}

// deeper counts one more level of nesting. r.depth-- ends it.
func (r *run) deeper() error {
	if r.depth++; r.depth > r.limits.Depth {
		return fail(OverLimit, "nested deeper than %d", r.limits.Depth)
	}
	return nil
}

// text builds a text within the limit of memory.
type text struct {
	r *run
	strings.Builder
	err error
}

func (t *text) add(s string) {
	if t.err == nil {
		if t.err = t.r.take(len(s)); t.err == nil {
			t.WriteString(s)
		}
	}
}
