package compress

import (
	"slices"

	"github.com/snapbench/snapbench/runners/engine"
)

// Source is what one layer's prefill left on the device.
type Source struct {
	KV      engine.KV
	Queries engine.Array  // (w, heads, d): the last queries, as many as are needed
	Columns engine.Array  // Float32 (heads, n), where needed
	Output  engine.Weight // (width, heads·d), where needed
	Width   int           // of the output
}

// Chooser lets variants choose in the layers of one prompt, and holds what is the same in
// all of them, so that it is brought to the device once.
type Chooser struct {
	device engine.Device
	fixed  map[string]engine.Array // by question
}

// NewChooser returns a chooser for a prompt on a device.
func NewChooser(d engine.Device) *Chooser {
	return &Chooser{device: d, fixed: map[string]engine.Array{}}
}

// Free gives back what is the same in all layers; it is the last call.
func (c *Chooser) Free() {
	for _, a := range c.fixed {
		c.device.Free(a)
	}
	c.fixed = nil
}

// Choice is what the variants keep in one layer.
type Choice struct {
	Kept []Kept // one per variant

	device engine.Device
	arrays []engine.Array
}

// Caches returns what to gather, one per variant.
func (c *Choice) Caches() []engine.Kept {
	list := make([]engine.Kept, len(c.Kept))
	for i, k := range c.Kept {
		list[i] = k.Kept
	}
	return list
}

// Free gives back the choice's arrays; gather first.
func (c *Choice) Free() {
	c.device.Free(c.arrays...)
	c.arrays = nil
}

// ChoiceError says that one of the variants cannot choose in a layer: the others may.
type ChoiceError struct {
	Index int // of the variant
	Err   error
}

func (e *ChoiceError) Error() string { return e.Err.Error() }

// Unwrap returns what went wrong.
func (e *ChoiceError) Unwrap() error { return e.Err }

// Choose is [Chooser.Choose] for a single layer.
func Choose(d engine.Device, s Source, l Layer, variants []Variant) (*Choice, error) {
	chooser := NewChooser(d)
	c, err := chooser.Choose(s, l, variants)
	if err != nil {
		chooser.Free()
		return nil, err
	}
	for _, a := range chooser.fixed {
		c.arrays = append(c.arrays, a)
	}
	return c, nil
}

// Choose asks every variant what it keeps in a layer. What several need is
// measured once, and selections are made in one operation.
func (c *Chooser) Choose(s Source, l Layer, variants []Variant) (*Choice, error) {
	d := c.device
	o := &ops{device: d, source: s, layer: l, fixed: c.fixed, memo: map[string]Scores{}, highs: map[string]float32{}, chosen: map[string]Kept{}}
	for _, v := range variants {
		if w := v.needs(l).Window; w > 0 && !slices.Contains(o.windows, w) {
			o.windows = append(o.windows, w)
		}
	}
	choice := &Choice{device: d, Kept: make([]Kept, len(variants))}
	for i, v := range variants {
		o.copied = false
		kept, err := v.keep(o, l)
		if o.err != nil {
			err = o.err // what a policy finds in copies that failed is not the cause
		} else if err != nil {
			err = &ChoiceError{i, err}
		}
		if err != nil {
			d.Free(o.arrays...)
			return nil, err
		}
		kept.Host = kept.Host || o.copied || kept.Edit != nil
		choice.Kept[i] = kept
	}
	if len(o.selections) > 0 {
		d.Select(o.selections)
	}
	choice.arrays = o.arrays
	return choice, nil
}

// ops measures lazily, once per question.
type ops struct {
	device     engine.Device
	source     Source
	layer      Layer
	windows    []int                   // of all variants: measured together
	fixed      map[string]engine.Array // what is the same in all layers: the chooser's
	memo       map[string]Scores       // question → answer
	highs      map[string]float32      // the highest scores that were read, by question
	arrays     []engine.Array
	selections []engine.Selection // to be made together at the end
	chosen     map[string]Kept
	copies     copies
	copied     bool // the variant in hand looked at a copy
	err        error
}

// array returns an array that lives until the layer is done.
func (o *ops) array(t engine.Type, n int) (engine.Array, bool) {
	a, ok := o.scratch(t, n)
	if ok {
		o.arrays = append(o.arrays, a)
	}
	return a, ok
}

// scratch returns an array that the caller gives back.
func (o *ops) scratch(t engine.Type, n int) (engine.Array, bool) {
	if o.err != nil {
		return engine.Array{}, false
	}
	a, err := o.device.New(t, n)
	o.failed(err)
	return a, err == nil
}

// once returns the answer to a question about scores, computing it into a new array of
// (rows, m) the first time.
func (o *ops) once(what string, about []Scores, rows, m int, compute func(dst engine.Array)) Scores {
	question, host := what, false
	for _, s := range about {
		question += ", " + s.question
		host = host || s.host
	}
	if len(about) > 1 {
		question = "(" + question + ")"
	}
	if s, ok := o.memo[question]; ok {
		return s
	}
	a, ok := o.array(engine.Float32, rows*m)
	if !ok {
		return Scores{Rows: rows}
	}
	compute(a)
	answer := Scores{Array: a, Rows: rows, question: question, host: host}
	o.memo[question] = answer
	return answer
}

// failed keeps the first error.
func (o *ops) failed(err error) {
	if o.err == nil {
		o.err = err
	}
}
