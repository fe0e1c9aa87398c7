package cpu

import (
	"fmt"
	"math"
	"slices"

	"github.com/snapbench/snapbench/runners/engine"
)

// rotary holds the cosines and sines of the positions that have been needed, in blocks of
// positions: a model for 128K positions is seldom given so many.
type rotary struct {
	engine.Rotation
	positions int
	blocks    [][]float32 // per rotaryBlock positions: (position, cos then sin of each pair)
}

const rotaryBlock = 256

// Positions returns the number of positions served.
func (r *rotary) Positions() int { return r.positions }

// NewRotary prepares the rotation for positions below n.
func (d *Device) NewRotary(r engine.Rotation, n int) (engine.Rotary, error) {
	if err := r.Check(n); err != nil {
		return nil, fmt.Errorf("cpu: %w", err)
	}
	r.Frequencies, r.Later = slices.Clone(r.Frequencies), slices.Clone(r.Later)
	return &rotary{r, n, make([][]float32, (n+rotaryBlock-1)/rotaryBlock)}, nil
}

// FreeRotary drops the tables.
func (d *Device) FreeRotary(r engine.Rotary) {
	if own, ok := r.(*rotary); ok {
		own.blocks = nil
	}
}

// prepare makes the tables of the positions lo…hi.
func (d *Device) prepare(op string, r engine.Rotary, size, lo, hi int) *rotary {
	own, ok := r.(*rotary)
	if !ok || 2*len(own.Frequencies) > size {
		shape("%s: rotary %T does not turn heads of %d", op, r, size)
	}
	if lo < 0 || hi > own.positions {
		shape("%s: positions %d to %d, the rotary serves %d", op, lo, hi, own.positions)
	}
	half := len(own.Frequencies)
	first, last := lo/rotaryBlock, (hi+rotaryBlock-1)/rotaryBlock
	for first < last && own.blocks[first] != nil {
		first++
	}
	d.pool.run(max(0, last-first), func(t, _ int) {
		if own.blocks[first+t] != nil {
			return
		}
		table := make([]float32, rotaryBlock*2*half)
		for i := range rotaryBlock {
			position, frequencies := (first+t)*rotaryBlock+i, own.Frequencies
			if own.Later != nil && position >= own.From {
				frequencies = own.Later
			}
			for j, f := range frequencies {
				sin, cos := math.Sincos(float64(float32(position) * f))
				table[i*2*half+j] = float32(cos) * own.Scale
				table[i*2*half+half+j] = float32(sin) * own.Scale
			}
		}
		own.blocks[first+t] = table
	})
	return own
}

// turn rotates one head.
func (d *Device) turn(r *rotary, dst, x []float32, position int) {
	half := len(r.Frequencies)
	k := d.k
	if half%8 != 0 {
		k = goKernels
	}
	table := r.blocks[position/rotaryBlock][position%rotaryBlock*2*half:]
	k.rotate(half, &x[0], &table[0], &table[half], &dst[0])
	copy(dst[2*half:], x[2*half:])
}

// norms checks the heads' norms and returns their weights.
func norms(op string, n engine.QKNorm, size int) (query, key []float32) {
	if n.Query.Len > 0 {
		wantLen(op, "the query norm", n.Query, size)
	}
	if n.Key.Len > 0 {
		wantLen(op, "the key norm", n.Key, size)
	}
	return f32(op, n.Query), f32(op, n.Key)
}

// place normalises and turns one head of x into dst.
func (d *Device) place(dst, x, norm []float32, eps float32, r *rotary, position int, tmp []float32) {
	if norm != nil {
		d.rmsNorm(tmp, x, norm, eps)
		x = tmp
	}
	d.turn(r, dst, x, position)
}

// Rotate takes a block's projections apart.
func (d *Device) Rotate(q engine.Array, kv engine.KV, qkv engine.Array, start int, h engine.Heads, r engine.Rotary, norm engine.QKNorm) {
	const op = "rotate"
	size := h.Size
	row := (h.Query + 2*h.KV) * size
	m := rowsOf(op, "qkv", qkv, row)
	wantLen(op, "q", q, m*h.Query*size)
	checkKV(op, kv, h)
	if start < 0 || start+m > kv.Tokens {
		shape("%s: rows %d to %d of a kv of %d tokens", op, start, start+m, kv.Tokens)
	}
	qn, kn := norms(op, norm, size)
	turn := d.prepare(op, r, size, start, start+m)
	if d.err != nil {
		return
	}
	in, out, keys, values := f32(op, qkv), f32(op, q), f32(op, kv.K), f32(op, kv.V)
	d.pool.each(m, 8, func(lo, hi, worker int) {
		tmp := scratch(&d.local[worker], size)
		for i := lo; i < hi; i++ {
			x := in[i*row : (i+1)*row]
			for a := range h.Query {
				d.place(out[(i*h.Query+a)*size:][:size], x[a*size:][:size], qn, norm.Epsilon, turn, start+i, tmp)
			}
			for g := range h.KV {
				at := (g*kv.Tokens + start + i) * size
				d.place(keys[at:at+size], x[(h.Query+g)*size:][:size], kn, norm.Epsilon, turn, start+i, tmp)
				copy(values[at:at+size], x[(h.Query+h.KV+g)*size:][:size])
			}
		}
	})
}

func checkKV(op string, kv engine.KV, h engine.Heads) {
	if kv.Heads != h.KV || kv.Size != h.Size || h.KV <= 0 || h.Query%h.KV != 0 {
		shape("%s: heads %+v, kv has %d heads of %d", op, h, kv.Heads, kv.Size)
	}
	wantLen(op, "K", kv.K, kv.Heads*kv.Tokens*kv.Size)
	wantLen(op, "V", kv.V, kv.Heads*kv.Tokens*kv.Size)
}
