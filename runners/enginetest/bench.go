package enginetest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/ref"
)

// sizes are where blocked code breaks.
var sizes = []int{1, 31, 32, 33, 127, 129, 1000}

// bench runs one operation on the device under test and on the reference.
type bench struct {
	*testing.T
	dev engine.Device
	ref *ref.Device
	rng *rand.Rand
	all []*pair
	budget
}

func newBench(t *testing.T, d engine.Device) *bench {
	b := &bench{T: t, dev: d, ref: ref.New(), rng: rand.New(rand.NewPCG(1, 2))}
	t.Cleanup(func() { b.release() })
	return b
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// pair is an array on both devices.
type pair struct {
	dev, ref engine.Array
	input    []float32 // what was put, nil for outputs
	ints     []int32
}

func (b *bench) pair(t engine.Type, n int) *pair {
	b.Helper()
	p := &pair{}
	var err error
	p.dev, err = b.dev.New(t, n)
	b.must(err)
	on := t
	if on != engine.Int32 {
		on = engine.Float32
	}
	p.ref, err = b.ref.New(on, n)
	b.must(err)
	b.all = append(b.all, p)
	return p
}

// release gives every array back.
func (b *bench) release() {
	for _, p := range b.all {
		b.dev.Free(p.dev)
		b.ref.Free(p.ref)
	}
	b.all = nil
}

// in makes an input of the device's type; both devices get the rounded numbers.
func (b *bench) in(v []float32) *pair { return b.put(b.dev.Type(), v) }

// in32 makes a Float32 input.
func (b *bench) in32(v []float32) *pair { return b.put(engine.Float32, v) }

func (b *bench) put(t engine.Type, v []float32) *pair {
	b.Helper()
	p := b.pair(t, len(v))
	b.dev.Put(p.dev, v)
	p.input = make([]float32, len(v))
	b.dev.Get(p.input, p.dev)
	b.ref.Put(p.ref, p.input)
	return p
}

func (b *bench) inInts(v []int32) *pair {
	p := b.pair(engine.Int32, len(v))
	b.dev.PutInts(p.dev, v)
	b.ref.PutInts(p.ref, v)
	p.ints = append([]int32{}, v...)
	return p
}

// out makes an output full of NaN.
func (b *bench) out(n int) *pair { return b.poisoned(b.dev.Type(), n) }

// out32 makes a Float32 output full of NaN.
func (b *bench) out32(n int) *pair { return b.poisoned(engine.Float32, n) }

func (b *bench) poisoned(t engine.Type, n int) *pair {
	p := b.pair(t, n)
	nan := make([]float32, n)
	for i := range nan {
		nan[i] = float32(math.NaN())
	}
	b.dev.Put(p.dev, nan)
	b.ref.Put(p.ref, nan)
	return p
}

// outInts makes an Int32 output full of an impossible position.
func (b *bench) outInts(n int) *pair {
	p := b.pair(engine.Int32, n)
	v := make([]int32, n)
	for i := range v {
		v[i] = -77
	}
	b.dev.PutInts(p.dev, v)
	b.ref.PutInts(p.ref, v)
	return p
}

func (b *bench) normal(n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(b.rng.NormFloat64())
	}
	return v
}

func (b *bench) get(a engine.Array) []float32 {
	b.Helper()
	v := make([]float32, a.Len)
	b.dev.Get(v, a)
	b.must(b.dev.Sync())
	return v
}

func (b *bench) getInts(a engine.Array) []int32 {
	b.Helper()
	v := make([]int32, a.Len)
	b.dev.GetInts(v, a)
	b.must(b.dev.Sync())
	return v
}

// both runs an operation on both devices; f picks the side of a pair.
func (b *bench) both(f func(d engine.Device, at func(*pair) engine.Array)) {
	b.Helper()
	f(b.dev, func(p *pair) engine.Array { return p.dev })
	b.must(b.dev.Sync())
	f(b.ref, func(p *pair) engine.Array { return p.ref })
}

// check compares an output, and that every input is what it was. k is the
// length of the sums behind each number.
func (b *bench) check(what string, p *pair, width, k int) {
	b.Helper()
	b.checkChain(what, p, width, k, 1)
}

// checkChain is check for the last of several operations that round.
func (b *bench) checkChain(what string, p *pair, width, k, roundings int) {
	b.Helper()
	want := make([]float32, p.ref.Len)
	b.ref.Get(want, p.ref)
	if err := compareChain(b.get(p.dev), want, width, k, p.dev.Type, roundings); err != nil {
		b.Errorf("%s: %v", what, err)
	}
	b.unchanged(what)
}

func (b *bench) checkInts(what string, p *pair) {
	b.Helper()
	want := make([]int32, p.ref.Len)
	b.ref.GetInts(want, p.ref)
	for i, g := range b.getInts(p.dev) {
		if g != want[i] {
			b.Errorf("%s: number %d is %d, want %d", what, i, g, want[i])
			break
		}
	}
	b.unchanged(what)
}

func (b *bench) unchanged(what string) {
	b.Helper()
	for _, p := range b.all {
		if p.input != nil {
			if err := same(b.get(p.dev), p.input); err != nil {
				b.Errorf("%s: an input was written to: %v", what, err)
			}
		}
		if p.ints != nil {
			for i, g := range b.getInts(p.dev) {
				if g != p.ints[i] {
					b.Errorf("%s: an input was written to: number %d is %d, was %d", what, i, g, p.ints[i])
					break
				}
			}
		}
	}
}

// weightPair is a weight on both devices. A device of a half type may round the numbers of blocks to it, or
// multiply codes exactly and scale their sums: the reference has the former in ref and, where they may
// differ, the latter in exact.
type weightPair struct{ dev, ref, exact engine.Weight }

func (b *bench) weight(parts, bias []engine.Stored) weightPair {
	b.Helper()
	w, err := b.dev.LoadWeight(parts, bias)
	b.must(err)
	r, err := b.ref.LoadWeight(b.rounded(parts), bias)
	b.must(err)
	b.Cleanup(func() { b.dev.FreeWeight(w); b.ref.FreeWeight(r) })
	p := weightPair{w, r, nil}
	if b.dev.Type() != engine.Float32 && slices.ContainsFunc(parts, func(s engine.Stored) bool { return s.Storage() >= engine.Q8_0 }) {
		p.exact, err = b.ref.LoadWeight(parts, bias)
		b.must(err)
		b.Cleanup(func() { b.ref.FreeWeight(p.exact) })
	}
	return p
}

// rounded returns parts as a device of a half type holds them: its weights are of its
// type, and the reference is to multiply the same numbers.
func (b *bench) rounded(parts []engine.Stored) []engine.Stored {
	b.Helper()
	if b.dev.Type() == engine.Float32 {
		return parts
	}
	var all []engine.Stored
	for _, p := range parts {
		m := &Matrix{name: p.Name(), rows: p.Rows(), cols: p.Cols(), storage: engine.F32, values: make([]float32, p.Rows()*p.Cols())}
		for i := range m.rows {
			p.ReadRow(i, m.values[i*m.cols:(i+1)*m.cols])
		}
		a, err := b.dev.New(b.dev.Type(), len(m.values))
		b.must(err)
		b.dev.Put(a, m.values)
		b.dev.Get(m.values, a)
		b.dev.Free(a)
		for _, v := range m.values {
			m.raw = appendFloat(m.raw, v)
		}
		all = append(all, m)
	}
	return all
}

// on picks the side of a weight that belongs to d.
func (b *bench) on(d engine.Device, w weightPair) engine.Weight {
	if d == engine.Device(b.ref) {
		return w.ref
	}
	return w.dev
}

func (b *bench) matrix(s engine.Storage, rows, cols int) *Matrix {
	return Random(fmt.Sprintf("%s %dx%d", s, rows, cols), s, rows, cols, b.rng)
}
