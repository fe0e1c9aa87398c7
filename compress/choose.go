package compress

import (
	"fmt"
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

// Choose asks every variant what it keeps in a layer. What several need is
// measured once, and selections are made in one operation.
func Choose(d engine.Device, s Source, l Layer, variants []Variant) (*Choice, error) {
	o := &ops{device: d, source: s, layer: l, memo: map[string]Scores{}, chosen: map[string]Kept{}}
	for _, v := range variants {
		if w := v.needs(l).Window; w > 0 && !slices.Contains(o.windows, w) {
			o.windows = append(o.windows, w)
		}
	}
	c := &Choice{device: d, Kept: make([]Kept, len(variants))}
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
	selections []engine.Selection // to be made together at the end
	chosen     map[string]Kept
	copies     copies
	copied     bool // the variant in hand looked at a copy
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

// once returns the answer to a question about s, computing it into a new array of
// (rows, m) the first time.
func (o *ops) once(s Scores, what string, rows, m int, compute func(dst engine.Array)) Scores {
	question := s.question + ", " + what
	if s, ok := o.memo[question]; ok {
		return s
	}
	a, ok := o.array(engine.Float32, rows*m)
	if !ok {
		return Scores{Rows: rows}
	}
	compute(a)
	answer := Scores{Array: a, Rows: rows, question: question, host: s.host}
	o.memo[question] = answer
	return answer
}

func (o *ops) WindowScores(w int) Scores {
	h := o.layer.Heads
	held := o.held()
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
			return Scores{Rows: h.Query}
		}
		dst, windows = append(dst, a), append(windows, x)
	}
	o.device.WindowScores(dst, windows, o.source.Queries, o.source.KV, h, o.layer.Sliding, o.layer.Scale)
	for i, x := range windows {
		o.memo[question(x)] = Scores{Array: dst[i], Rows: h.Query, question: question(x)}
	}
	return o.memo[question(w)]
}

// held is how many queries prefill kept.
func (o *ops) held() int { return o.source.Queries.Len / (o.layer.Heads.Query * o.layer.Heads.Size) }

func (o *ops) Columns() Scores {
	return Scores{Array: o.source.Columns, Rows: o.layer.Heads.Query, question: "columns"}
}

func (o *ops) First(s Scores, m int) Scores {
	width := s.Width()
	if o.err != nil || m == width {
		return s
	}
	return o.once(s, fmt.Sprintf("first %d", m), s.Rows, m, func(dst engine.Array) {
		for i := range s.Rows {
			o.device.Copy(dst.Slice(i*m, (i+1)*m), s.Array.Slice(i*width, i*width+m))
		}
	})
}

func (o *ops) Group(s Scores, how engine.Grouping) Scores {
	h := o.layer.Heads
	if o.err != nil {
		return Scores{Rows: h.KV}
	}
	if h.Group() == 1 && how != engine.GroupAll {
		return s // one query head per KV head: nothing to reduce
	}
	return o.once(s, fmt.Sprintf("group %d", how), h.KV, s.Width(), func(dst engine.Array) {
		o.device.GroupScores(dst, s.Array, h, how)
	})
}

func (o *ops) Pool(s Scores, kernel int, kind engine.Pooling) Scores {
	if o.err != nil || kernel == 1 {
		return s // a kernel of one changes nothing
	}
	return o.once(s, fmt.Sprintf("pool %d %d", kernel, kind), s.Rows, s.Width(), func(dst engine.Array) {
		o.device.PoolScores(dst, s.Array, s.Rows, kernel, kind)
	})
}

func (o *ops) Top(s Scores, sinks, count, tail int) Kept {
	counts := make([]int, s.Rows)
	for i := range counts {
		counts[i] = count
	}
	return o.top(o.protect(s, sinks), sinks, counts, tail)
}

func (o *ops) TopEach(s Scores, sinks int, counts []int, tail int) Kept {
	return o.top(o.protect(s, sinks), sinks, counts, tail)
}

// top notes a selection, to be made with all others of the layer.
func (o *ops) top(s Scores, sinks int, counts []int, tail int) Kept {
	question := fmt.Sprintf("%s, top %d+%v+%d", s.question, sinks, counts, tail)
	if k, ok := o.chosen[question]; ok {
		return k
	}
	k := Kept{Kept: engine.Kept{Len: make([]int, s.Rows)}, Host: s.host}
	total, same := 0, true
	for i, count := range counts {
		k.Len[i] = sinks + count + tail
		total += k.Len[i]
		same = same && count == counts[0]
	}
	positions, ok := o.array(engine.Int32, total)
	if !ok {
		return Kept{}
	}
	k.Positions = positions
	if same {
		o.selections = append(o.selections, engine.Selection{Scores: s.Array, Rows: s.Rows, Count: sinks + counts[0], Tail: tail, Dst: positions})
	} else {
		at, m := 0, s.Width()
		for i, length := range k.Len {
			o.selections = append(o.selections, engine.Selection{Scores: s.Array.Slice(i*m, (i+1)*m), Rows: 1,
				Count: length - tail, Tail: tail, Dst: positions.Slice(at, at+length)})
			at += length
		}
	}
	o.chosen[question] = k
	return k
}

func (o *ops) Share(s Scores, sinks, count int) []int {
	counts := make([]int, s.Rows)
	if count == 0 {
		return counts
	}
	s = o.protect(s, sinks) // they come first, and are taken off again
	count += sinks * s.Rows
	positions, ok := o.array(engine.Int32, count)
	if !ok {
		return counts
	}
	o.device.Select([]engine.Selection{{Scores: s.Array, Rows: 1, Count: count, Dst: positions}})
	chosen := make([]int32, count)
	o.device.GetInts(chosen, positions)
	o.failed(o.device.Sync())
	if o.err != nil {
		return counts
	}
	for i := range counts {
		counts[i] = -sinks
	}
	for _, p := range chosen {
		counts[int(p)/s.Width()]++
	}
	return counts
}

func (o *ops) Everything() Kept {
	k := Kept{Kept: engine.Kept{All: true, Len: make([]int, o.layer.Heads.KV)}}
	for i := range k.Len {
		k.Len[i] = o.layer.Tokens
	}
	return k
}

func (o *ops) Positions(heads [][]int32) Kept {
	var k Kept
	var all []int32
	for _, h := range heads {
		k.Len = append(k.Len, len(h))
		all = append(all, h...)
	}
	a, ok := o.array(engine.Int32, len(all))
	if !ok {
		return k
	}
	o.device.PutInts(a, all)
	k.Positions = a
	return k
}

// failed keeps the first error.
func (o *ops) failed(err error) {
	if o.err == nil {
		o.err = err
	}
}
