package compress

import (
	"slices"

	"github.com/snapbench/snapbench/runners/engine"
)

// outputBlock is how many positions OutputNorms takes at a time.
const outputBlock = 1024

// OutputBytes is what OutputNorms takes beside its result, for queries and an output of
// so many numbers.
func OutputBytes(t engine.Type, tokens, queries, width int) int64 {
	return int64(min(outputBlock, tokens)) * (int64(t.Size())*int64(3*queries+2*width) + 4*int64(width))
}

func (o *ops) OutputNorms() Scores {
	h, n := o.layer.Heads, o.layer.Tokens
	return o.once("norms of the output", nil, h.Query, n, func(dst engine.Array) {
		block := min(outputBlock, n)
		t, inputs, width := o.device.Type(), h.Query*h.Size, o.source.Width
		var all [6]engine.Array
		defer func() { o.device.Free(all[:]...) }()
		alone := engine.Attention{Heads: engine.Heads{Query: h.Query, KV: h.Query, Size: h.Size}, Window: 1, Scale: 1}
		for i, want := range []struct {
			t engine.Type
			n int
		}{{t, block * inputs}, {t, block * inputs}, {t, block * h.Size}, {t, block * width}, {t, block * width}, {engine.Float32, block * width}} {
			var ok bool
			if all[i], ok = o.scratch(want.t, want.n); !ok {
				return
			}
		}
		values, x, zeros, y, ones, sizes := all[0], all[1], all[2], all[3], all[4], all[5]
		o.device.Put(zeros, make([]float32, zeros.Len))
		o.device.Put(ones, slices.Repeat([]float32{1}, ones.Len))
		for start := 0; start < n; start += block {
			rows := min(block, n-start)
			part := rows * h.Size
			for a := range h.Query {
				o.device.Copy(values.Slice(a*part, (a+1)*part), zeros.Slice(0, part))
			}
			kv := engine.KV{K: values.Slice(0, rows*inputs), V: values.Slice(0, rows*inputs), Tokens: rows, Heads: h.Query, Size: h.Size}
			in, out, size := x.Slice(0, rows*inputs), y.Slice(0, rows*width), sizes.Slice(0, rows*width)
			for a := range h.Query {
				// One head's values, zero for all others: the product is that head's part. A
				// query that sees its own position alone gets that one's values, so attention
				// puts them in the order of the product's input. (Not with a scale of 0: what
				// is hidden is -∞, and 0 times that is no number.)
				from, own := (a/h.Group()*n+start)*h.Size, values.Slice(a*part, (a+1)*part)
				o.device.Copy(own, o.source.KV.V.Slice(from, from+part))
				o.device.Attention(in, kv.K, kv, 0, alone)
				o.device.MatMul(out, in, o.source.Output)
				// The length of a row of one number is its size; a row's sizes are weights of ones.
				o.device.RowNorms(size, out, 1)
				o.device.WeightedRows(dst.Slice(a*n+start, a*n+start+rows), ones.Slice(0, rows*width), size, 1)
				o.device.Copy(own, zeros.Slice(0, part))
			}
		}
	})
}
