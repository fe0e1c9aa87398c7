package ref

import (
	"fmt"
	"math"
	"slices"

	"github.com/snapbench/snapbench/runners/engine"
)

type rotary struct {
	engine.Rotation
	positions int
}

func (r *rotary) Positions() int { return r.positions }

// NewRotary keeps the frequencies: the angles are computed where they are used.
func (d *Device) NewRotary(r engine.Rotation, n int) (engine.Rotary, error) {
	if err := r.Check(n); err != nil {
		return nil, fmt.Errorf("ref: NewRotary: %w", err)
	}
	r.Frequencies, r.Later = slices.Clone(r.Frequencies), slices.Clone(r.Later)
	return &rotary{r, n}, nil
}

// FreeRotary does nothing.
func (d *Device) FreeRotary(engine.Rotary) {}

// turn rotates one head in place by a position.
func (r *rotary) turn(head []float32, position int) {
	if position >= r.positions {
		panic(fmt.Sprintf("ref: position %d, the rotation was made for %d", position, r.positions))
	}
	frequencies := r.Frequencies
	if r.Later != nil && position >= r.From {
		frequencies = r.Later
	}
	half := len(frequencies)
	if len(head) < 2*half {
		panic(fmt.Sprintf("ref: %d pairs of a head of %d", half, len(head)))
	}
	for i, f := range frequencies {
		angle := float64(float32(position) * f)
		c := float32(math.Cos(angle)) * r.Scale
		s := float32(math.Sin(angle)) * r.Scale
		a, b := float64(head[i]), float64(head[i+half])
		head[i] = float32(a*float64(c) - b*float64(s))
		head[i+half] = float32(b*float64(c) + a*float64(s))
	}
}

// split normalises and rotates the queries and keys of one row of projections.
func split(row []float32, position int, h engine.Heads, r *rotary, norm engine.QKNorm) (q, k, v []float32) {
	row = append([]float32(nil), row...)
	q, k, v = row[:h.Query*h.Size], row[h.Query*h.Size:(h.Query+h.KV)*h.Size], row[(h.Query+h.KV)*h.Size:]
	for i := range h.Query {
		head := q[i*h.Size : (i+1)*h.Size]
		if norm.Query.Len > 0 {
			rmsNorm(head, head, floats(norm.Query), norm.Epsilon)
		}
		r.turn(head, position)
	}
	for i := range h.KV {
		head := k[i*h.Size : (i+1)*h.Size]
		if norm.Key.Len > 0 {
			rmsNorm(head, head, floats(norm.Key), norm.Epsilon)
		}
		r.turn(head, position)
	}
	return q, k, v
}

// Rotate takes a block's projections apart.
func (d *Device) Rotate(q engine.Array, kv engine.KV, qkv engine.Array, start int, h engine.Heads, r engine.Rotary, norm engine.QKNorm) {
	width := (h.Query + 2*h.KV) * h.Size
	m := qkv.Len / width
	same("Rotate", qkv.Len, m*width)
	same("Rotate", q.Len, m*h.Query*h.Size)
	in, keys, values := floats(qkv), floats(kv.K), floats(kv.V)
	for i := range m {
		qr, kr, vr := split(in[i*width:(i+1)*width], start+i, h, r.(*rotary), norm)
		copy(floats(q)[i*h.Query*h.Size:], qr)
		for g := range h.KV {
			at := (g*kv.Tokens + start + i) * h.Size
			copy(keys[at:at+h.Size], kr[g*h.Size:])
			copy(values[at:at+h.Size], vr[g*h.Size:])
		}
	}
}

// attend computes one query of a head over the rows lo…hi of keys and values.
func attend(out, q, keys, values []float32, lo, hi, head int, by engine.Attention) {
	size := len(q)
	p := softmax(q, keys, lo, hi, head, by)
	sum := make([]float64, size)
	for j, w := range p {
		for c, v := range values[(lo+j)*size : (lo+j+1)*size] {
			sum[c] += w * float64(v)
		}
	}
	for c, v := range sum {
		out[c] = float32(v)
	}
}

// softmax returns the weights that a query of a head gives the rows lo…hi.
func softmax(q, keys []float32, lo, hi, head int, by engine.Attention) []float64 {
	size := len(q)
	p := make([]float64, hi-lo)
	top, sink := math.Inf(-1), math.Inf(-1)
	if by.Sinks.Len > 0 {
		same("Sinks", by.Sinks.Len, by.Heads.Query)
		sink = float64(floats(by.Sinks)[head])
		top = sink
	}
	for j := range p {
		p[j] = dot(q, keys[(lo+j)*size:(lo+j+1)*size]) * float64(by.Scale)
		if by.Cap > 0 {
			p[j] = float64(by.Cap) * math.Tanh(p[j]/float64(by.Cap))
		}
		top = math.Max(top, p[j])
	}
	total := math.Exp(sink - top)
	for j := range p {
		p[j] = math.Exp(p[j] - top)
		total += p[j]
	}
	for j := range p {
		p[j] /= total
	}
	return p
}

// visible returns the first position that a query at a position sees.
func visible(position, window int) int {
	if window > 0 {
		return max(0, position-window+1)
	}
	return 0
}

// Attention is causal attention over the prompt so far.
func (d *Device) Attention(out, q engine.Array, kv engine.KV, start int, by engine.Attention) {
	h := by.Heads
	same("Attention", out.Len, q.Len)
	row := h.Query * h.Size
	for i := range q.Len / row {
		for a := range h.Query {
			at := i*row + a*h.Size
			keys, values := headOf(kv, a/h.Group())
			attend(floats(out)[at:at+h.Size], floats(q)[at:at+h.Size], keys, values, visible(start+i, by.Window), start+i+1, a, by)
		}
	}
}

func headOf(kv engine.KV, g int) (keys, values []float32) {
	lo, hi := g*kv.Tokens*kv.Size, (g+1)*kv.Tokens*kv.Size
	return floats(kv.K)[lo:hi], floats(kv.V)[lo:hi]
}

// WindowScores adds up the attention that the last queries pay to each key.
func (d *Device) WindowScores(dst []engine.Array, w []int, q engine.Array, kv engine.KV, by engine.Attention) {
	h := by.Heads
	row := h.Query * h.Size
	for x := range dst {
		d.windowScores(dst[x], q.Slice(q.Len-w[x]*row, q.Len), kv, by)
	}
}

func (d *Device) windowScores(dst, q engine.Array, kv engine.KV, by engine.Attention) {
	h := by.Heads
	w := q.Len / (h.Query * h.Size)
	m := kv.Tokens - w
	same("WindowScores", dst.Len, h.Query*m)
	for a := range h.Query {
		keys, _ := headOf(kv, a/h.Group())
		sum := make([]float64, kv.Tokens)
		for i := range w {
			at := (i*h.Query + a) * h.Size
			lo := visible(m+i, by.Window)
			for j, p := range softmax(floats(q)[at:at+h.Size], keys, lo, m+i+1, a, by) {
				sum[lo+j] += p
			}
		}
		for j := range m {
			floats(dst)[a*m+j] = float32(sum[j])
		}
	}
}

// AttentionRows writes down what the queries pay to each key.
func (d *Device) AttentionRows(dst, q engine.Array, kv engine.KV, start int, by engine.Attention) {
	h := by.Heads
	row := h.Query * h.Size
	m := q.Len / row
	same("AttentionRows", q.Len, m*row)
	if m == 0 {
		return
	}
	columns := dst.Len / (h.Query * m)
	same("AttentionRows", dst.Len, h.Query*m*columns)
	if columns > kv.Tokens || start+m > kv.Tokens {
		panic(fmt.Sprintf("ref: AttentionRows: %d columns and queries up to %d of %d tokens", columns, start+m, kv.Tokens))
	}
	for a := range h.Query {
		keys, _ := headOf(kv, a/h.Group())
		for i := range m {
			at, lo := i*row+a*h.Size, visible(start+i, by.Window)
			to := floats(dst)[(a*m+i)*columns:][:columns]
			clear(to)
			for j, p := range softmax(floats(q)[at:at+h.Size], keys, lo, start+i+1, a, by) {
				if lo+j < columns {
					to[lo+j] = float32(p)
				}
			}
		}
	}
}
