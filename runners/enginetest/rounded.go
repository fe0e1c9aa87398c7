package enginetest

import (
	"fmt"
	"math"

	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/ref"
)

// Rounded returns the reference device as a device of the half type t: weights,
// activations, keys and values are rounded to t, each result once. It serves to test,
// without a card, what holds for every device of a half type. Numbers are stored as
// float32, and Memory counts them so.
func Rounded(t engine.Type) engine.Device {
	r := &rounded{Device: ref.New(), kind: t}
	switch t {
	case engine.BFloat16:
		r.round = func(v float32) float32 { return even(v, 16) }
	case engine.Float16:
		r.round = func(v float32) float32 {
			switch a := math.Abs(float64(v)); {
			case a >= 65520:
				return float32(math.Copysign(math.Inf(1), float64(v)))
			case a < 0x1p-14: // its smallest number is 2⁻²⁴
				return float32(math.RoundToEven(float64(v)*0x1p24) * 0x1p-24)
			}
			return even(v, 13)
		}
	default:
		panic(fmt.Sprintf("enginetest: rounded to %v: have float16, bfloat16", t))
	}
	return r
}

// even rounds v to the nearest number without its last bits, ties to even.
func even(v float32, bits int) float32 {
	b := math.Float32bits(v)
	return math.Float32frombits((b + 1<<(bits-1) - 1 + b>>bits&1) >> bits << bits)
}

type rounded struct {
	engine.Device // the reference; it looks at an array's type only to make and free it
	kind          engine.Type
	round         func(float32) float32
}

func (r *rounded) Name() string      { return "ref/" + r.kind.String() }
func (r *rounded) Type() engine.Type { return r.kind }
func (r *rounded) Describe() string {
	return r.Device.Describe() + ", results rounded to " + r.kind.String()
}

// nearest rounds v where it is finite.
func (r *rounded) nearest(v float32) float32 {
	if v-v != 0 {
		return v
	}
	return r.round(v)
}

// settle rounds what was written to an array, where it is of the half type.
func (r *rounded) settle(arrays ...engine.Array) {
	for _, a := range arrays {
		if a.Type != r.kind {
			continue
		}
		v := make([]float32, a.Len)
		r.Device.Get(v, a)
		for i := range v {
			v[i] = r.nearest(v[i])
		}
		r.Device.Put(a, v)
	}
}

// as returns the array as one of type t.
func (r *rounded) as(t engine.Type, a engine.Array) engine.Array {
	if a.Type != engine.Int32 {
		a.Type = t
	}
	return a
}

func (r *rounded) New(t engine.Type, n int) (engine.Array, error) {
	if t != r.kind {
		return r.Device.New(t, n)
	}
	a, err := r.Device.New(engine.Float32, n)
	return r.as(t, a), err
}

func (r *rounded) Free(arrays ...engine.Array) {
	for _, a := range arrays {
		r.Device.Free(r.as(engine.Float32, a))
	}
}

func (r *rounded) Put(dst engine.Array, src []float32) {
	r.Device.Put(dst, src)
	r.settle(dst)
}

// roundedStored is a matrix in the half type.
type roundedStored struct {
	engine.Stored
	device *rounded
}

func (s roundedStored) ReadRow(i int, dst []float32) {
	s.Stored.ReadRow(i, dst)
	for j := range dst {
		dst[j] = s.device.nearest(dst[j])
	}
}

func (r *rounded) LoadWeight(parts, bias []engine.Stored) (engine.Weight, error) {
	var half []engine.Stored
	for _, p := range parts {
		half = append(half, roundedStored{p, r})
	}
	return r.Device.LoadWeight(half, bias)
}

func (r *rounded) RMSNorm(dst, x, weight engine.Array, eps float32) {
	r.Device.RMSNorm(dst, x, weight, eps)
	r.settle(dst)
}

func (r *rounded) RMSNormAdd(dst, x, weight engine.Array, eps float32) {
	r.Device.RMSNormAdd(dst, x, weight, eps)
	r.settle(dst)
}

func (r *rounded) Embed(dst engine.Array, table engine.Weight, ids engine.Array, scale float32) {
	r.Device.Embed(dst, table, ids, scale)
	r.settle(dst)
}

func (r *rounded) MatMul(dst, x engine.Array, w engine.Weight) {
	r.Device.MatMul(dst, x, w)
	r.settle(dst)
}

func (r *rounded) MatMulAdd(dst, x engine.Array, w engine.Weight) {
	r.Device.MatMulAdd(dst, x, w)
	r.settle(dst)
}

func (r *rounded) Gate(dst, gateUp engine.Array, ff int, a engine.Activation) {
	r.Device.Gate(dst, gateUp, ff, a)
	r.settle(dst)
}

func (r *rounded) MixtureAdd(dst, x engine.Array, e engine.Experts) {
	r.Device.MixtureAdd(dst, x, e)
	r.settle(dst)
}

func (r *rounded) Rotate(q engine.Array, kv engine.KV, qkv engine.Array, start int, h engine.Heads, rotary engine.Rotary, norm engine.QKNorm) {
	r.Device.Rotate(q, kv, qkv, start, h, rotary, norm)
	r.settle(q, kv.K, kv.V)
}

func (r *rounded) Attention(out, q engine.Array, kv engine.KV, start int, by engine.Attention) {
	r.Device.Attention(out, q, kv, start, by)
	r.settle(out)
}

func (r *rounded) Gather(kv engine.KV, kept []engine.Kept, room int) ([]engine.Cache, error) {
	caches, err := r.Device.Gather(kv, kept, room)
	for i := range caches {
		caches[i].K, caches[i].V = r.as(r.kind, caches[i].K), r.as(r.kind, caches[i].V)
	}
	return caches, err
}

func (r *rounded) FreeCache(caches ...engine.Cache) {
	for _, c := range caches {
		r.Free(c.K, c.V, c.Positions)
	}
}

// roundedBatch remembers the sequences, since a step appends to their caches.
type roundedBatch struct {
	engine.Batch
	sequences []engine.Sequence
}

func (r *rounded) NewBatch(s []engine.Sequence, h engine.Heads) (engine.Batch, error) {
	b, err := r.Device.NewBatch(s, h)
	return roundedBatch{b, append([]engine.Sequence(nil), s...)}, err
}

func (r *rounded) FreeBatch(b engine.Batch) { r.Device.FreeBatch(b.(roundedBatch).Batch) }
func (r *rounded) Advance(b engine.Batch)   { r.Device.Advance(b.(roundedBatch).Batch) }

func (r *rounded) Replay(b engine.Batch, step func()) {
	r.Device.Replay(b.(roundedBatch).Batch, step)
}

func (r *rounded) RotateAppend(q engine.Array, b engine.Batch, layer int, qkv engine.Array, rotary engine.Rotary, norm engine.QKNorm) {
	r.Device.RotateAppend(q, b.(roundedBatch).Batch, layer, qkv, rotary, norm)
	r.settle(q)
	for _, s := range b.(roundedBatch).sequences {
		r.settle(s.Caches[layer].K, s.Caches[layer].V)
	}
}

func (r *rounded) AttendCaches(out, q engine.Array, b engine.Batch, layer int, by engine.Attention) {
	r.Device.AttendCaches(out, q, b.(roundedBatch).Batch, layer, by)
	r.settle(out)
}
