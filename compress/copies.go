package compress

import (
	"fmt"
	"math"
	"slices"

	"github.com/snapbench/snapbench/runners/engine"
)

// copies are what plain Go has looked at of a layer, each copied once.
type copies struct {
	keys, values [][]float32
	queries      map[int][][]float32
}

func (o *ops) Compute(question string, f func() [][]float32) Scores {
	if s, ok := o.memo[question]; ok {
		return s
	}
	rows := f()
	if o.err != nil {
		return Scores{Rows: len(rows)}
	}
	m := len(rows[0])
	all := make([]float32, 0, len(rows)*m)
	for i, r := range rows {
		if len(r) != m {
			panic(fmt.Sprintf("compress: %s: row %d has %d scores, row 0 %d", question, i, len(r), m))
		}
		if j := slices.IndexFunc(r, func(v float32) bool { return v != v }); j >= 0 {
			o.failed(fmt.Errorf("head %d: %s gives position %d a score that is not a number", i, question, j))
			return Scores{Rows: len(rows)}
		}
		all = append(all, r...)
	}
	a, ok := o.array(engine.Float32, len(all))
	if !ok {
		return Scores{Rows: len(rows)}
	}
	o.device.Put(a, all)
	s := Scores{Array: a, Rows: len(rows), question: question, host: true}
	o.memo[question] = s
	return s
}

// read copies an array that holds rows of one length.
func (o *ops) read(a engine.Array, rows int) [][]float32 {
	o.copied = true
	all := make([]float32, a.Len)
	if o.err == nil {
		o.device.Get(all, a)
		o.failed(o.device.Sync())
	}
	out := make([][]float32, rows)
	m := a.Len / rows
	for i := range out {
		out[i] = all[i*m : (i+1)*m : (i+1)*m]
	}
	return out
}

func (o *ops) Read(s Scores) [][]float32 { return o.read(s.Array, s.Rows) }

func (o *ops) Keys() [][]float32 {
	if o.copied = true; o.copies.keys == nil {
		o.copies.keys = o.read(o.source.KV.K, o.layer.Heads.KV)
	}
	return o.copies.keys
}

func (o *ops) Values() [][]float32 {
	if o.copied = true; o.copies.values == nil {
		o.copies.values = o.read(o.source.KV.V, o.layer.Heads.KV)
	}
	return o.copies.values
}

func (o *ops) Sinks() []float64 {
	sinks := make([]float64, o.layer.Heads.Query)
	for a := range sinks {
		sinks[a] = math.Inf(-1)
	}
	if o.layer.Sinks.Len > 0 {
		for a, z := range o.read(o.layer.Sinks, 1)[0] {
			sinks[a] = float64(z)
		}
	}
	return sinks
}

func (o *ops) Queries(w int) [][]float32 {
	o.copied = true
	if q, ok := o.copies.queries[w]; ok {
		return q
	}
	h, held := o.layer.Heads, o.held()
	if w > held {
		panic(fmt.Sprintf("compress: %d queries are asked for, %d are held", w, held))
	}
	row := h.Query * h.Size
	flat := o.read(o.source.Queries.Slice((held-w)*row, held*row), w)
	out := make([][]float32, h.Query)
	for a := range out {
		for _, q := range flat {
			out[a] = append(out[a], q[a*h.Size:(a+1)*h.Size]...)
		}
	}
	if o.copies.queries == nil {
		o.copies.queries = map[int][][]float32{}
	}
	o.copies.queries[w] = out
	return out
}
