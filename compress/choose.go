package compress

import (
	"fmt"
	"slices"

	"github.com/snapbench/snapbench/runners/engine"
)

// Source is what one layer's prefill left on the device.
type Source struct {
	KV      engine.KV
	Queries engine.Array // (w, heads, d): the last queries, as many as the widest window needs
	Scale   float32      // of the attention, 1/√d
	Window  int          // the model's own sliding window, 0 for none
}

// Choice is what the variants keep in one layer.
type Choice struct {
	Kept []engine.Kept // one per variant

	device engine.Device
	arrays []engine.Array
}

// Free gives back the choice's arrays; gather first.
func (c *Choice) Free() {
	c.device.Free(c.arrays...)
	c.arrays = nil
}

// Choose asks every variant what it keeps in a layer. What several need is
// measured once, and all selections are made in one operation.
func Choose(d engine.Device, s Source, l Layer, variants []Variant) (*Choice, error) {
	o := &ops{device: d, source: s, layer: l, memo: map[string]Scores{}}
	for _, v := range variants {
		if w := v.needs(l).Window; w > 0 && !slices.Contains(o.windows, w) {
			o.windows = append(o.windows, w)
		}
	}
	c := &Choice{device: d, Kept: make([]engine.Kept, len(variants))}
	for i, v := range variants {
		kept, err := v.keep(o, l)
		if err == nil {
			err = o.err
		}
		if err != nil {
			d.Free(o.arrays...)
			return nil, err
		}
		c.Kept[i] = kept
	}
	if len(o.selections) > 0 {
		d.Select(o.selections)
	}
	c.arrays = o.arrays
	return c, nil
}

// ops measures lazily, once per question.
type ops struct {
	device     engine.Device
	source     Source
	layer      Layer
	windows    []int             // of all variants: measured together
	memo       map[string]Scores // question → answer
	arrays     []engine.Array
	selections []engine.Selection
	chosen     map[string]engine.Kept
	err        error
}

func (o *ops) array(t engine.Type, n int) (engine.Array, bool) {
	if o.err != nil {
		return engine.Array{}, false
	}
	a, err := o.device.New(t, n)
	if err != nil {
		o.err = err
		return engine.Array{}, false
	}
	o.arrays = append(o.arrays, a)
	return a, true
}

// once returns the answer to a question, computing it into a new array of
// (rows, m) the first time.
func (o *ops) once(question string, rows, m int, compute func(dst engine.Array)) Scores {
	if s, ok := o.memo[question]; ok {
		return s
	}
	a, ok := o.array(engine.Float32, rows*m)
	if !ok {
		return Scores{}
	}
	compute(a)
	s := Scores{Array: a, Rows: rows, question: question}
	o.memo[question] = s
	return s
}

func (o *ops) WindowScores(w int) Scores {
	h := o.layer.Heads
	row := h.Query * h.Size
	held := o.source.Queries.Len / row
	if w > held || w >= o.layer.Tokens {
		panic(fmt.Sprintf("compress: window of %d, %d queries are held of %d tokens", w, held, o.layer.Tokens))
	}
	question := func(w int) string { return fmt.Sprintf("window %d", w) }
	if s, ok := o.memo[question(w)]; ok {
		return s
	}
	var dst []engine.Array
	var windows []int
	for _, x := range append([]int{w}, o.windows...) {
		if _, ok := o.memo[question(x)]; ok || x > held || x >= o.layer.Tokens || slices.Contains(windows, x) {
			continue
		}
		a, ok := o.array(engine.Float32, h.Query*(o.layer.Tokens-x))
		if !ok {
			return Scores{}
		}
		dst, windows = append(dst, a), append(windows, x)
	}
	o.device.WindowScores(dst, windows, o.source.Queries, o.source.KV, h, o.source.Window, o.source.Scale)
	for i, x := range windows {
		o.memo[question(x)] = Scores{Array: dst[i], Rows: h.Query, question: question(x)}
	}
	return o.memo[question(w)]
}

func (o *ops) Group(s Scores, how engine.Grouping) Scores {
	h := o.layer.Heads
	if o.err != nil {
		return Scores{}
	}
	if h.Group() == 1 && how != engine.GroupAll {
		return s // one query head per KV head: nothing to reduce
	}
	return o.once(fmt.Sprintf("%s, group %d", s.question, how), h.KV, s.Array.Len/h.Query, func(dst engine.Array) {
		o.device.GroupScores(dst, s.Array, h, how)
	})
}

func (o *ops) Pool(s Scores, kernel int, kind engine.Pooling) Scores {
	if o.err != nil || kernel == 1 {
		return s // a kernel of one changes nothing
	}
	return o.once(fmt.Sprintf("%s, pool %d %d", s.question, kernel, kind), s.Rows, s.Array.Len/s.Rows, func(dst engine.Array) {
		o.device.PoolScores(dst, s.Array, s.Rows, kernel, kind)
	})
}

func (o *ops) Top(s Scores, count, tail int) engine.Kept {
	question := fmt.Sprintf("%s, top %d %d", s.question, count, tail)
	if k, ok := o.chosen[question]; ok {
		return k
	}
	positions, ok := o.array(engine.Int32, s.Rows*(count+tail))
	if !ok {
		return engine.Kept{}
	}
	o.selections = append(o.selections, engine.Selection{Scores: s.Array, Rows: s.Rows, Count: count, Tail: tail, Dst: positions})
	k := engine.Kept{Positions: positions, Len: make([]int, s.Rows)}
	for i := range k.Len {
		k.Len[i] = count + tail
	}
	if o.chosen == nil {
		o.chosen = map[string]engine.Kept{}
	}
	o.chosen[question] = k
	return k
}

func (o *ops) Everything() engine.Kept {
	k := engine.Kept{All: true, Len: make([]int, o.layer.Heads.KV)}
	for i := range k.Len {
		k.Len[i] = o.layer.Tokens
	}
	return k
}
