package compress

import (
	"fmt"
	"math"
	"slices"

	"github.com/snapbench/snapbench/runners/engine"
)

// copies are what plain Go has looked at of a layer, each copied once.
type copies struct {
	keys, values, norms [][]float32
	queries             map[int][][]float32
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

// outputBlock is how many positions OutputNorms takes at a time.
const outputBlock = 256

// OutputBytes is what OutputNorms takes on a device for queries and an output of so many
// numbers.
func OutputBytes(t engine.Type, queries, width int) int64 {
	return outputBlock * (int64(t.Size())*int64(queries) + 4*int64(width))
}

func (o *ops) OutputNorms() [][]float32 {
	if o.copied = true; o.copies.norms != nil {
		return o.copies.norms
	}
	h, n := o.layer.Heads, o.layer.Tokens
	values := o.Values()
	norms := make([][]float32, h.Query)
	for a := range norms {
		norms[a] = make([]float32, n)
	}
	o.copies.norms = norms
	block := min(outputBlock, n)
	x, okX := o.array(o.device.Type(), block*h.Query*h.Size)
	y, okY := o.array(engine.Float32, block*o.source.Width)
	if !okX || !okY {
		return norms
	}
	in, out := make([]float32, x.Len), make([]float32, y.Len)
	for a := range norms {
		// One head's values, zero for all others: the product is that head's part.
		for start := 0; start < n; start += block {
			rows := min(block, n-start)
			clear(in)
			for i := range rows {
				copy(in[(i*h.Query+a)*h.Size:][:h.Size], values[a/h.Group()][(start+i)*h.Size:][:h.Size])
			}
			from, to := x.Slice(0, rows*h.Query*h.Size), y.Slice(0, rows*o.source.Width)
			o.device.Put(from, in[:from.Len])
			o.device.MatMul(to, from, o.source.Output)
			o.device.Get(out[:to.Len], to)
			if o.failed(o.device.Sync()); o.err != nil {
				return norms
			}
			for i := range rows {
				sum := 0.0
				for _, v := range out[i*o.source.Width : (i+1)*o.source.Width] {
					sum += math.Abs(float64(v))
				}
				norms[a][start+i] = float32(sum)
			}
		}
	}
	return norms
}
