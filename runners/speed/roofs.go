package speed

import (
	"math/rand/v2"
	"time"

	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/models"
)

// Roofs are the rates that a device was measured to reach in its own operations.
type Roofs struct {
	Bandwidth float64 // bytes a second of a large copy; a byte that is read and written counts twice
	Products  float64 // operations a second of a large product; a multiply and add are two
	Attention float64 // operations a second of causal attention over a long prompt
}

// MeasureRoofs measures the rates that cells are held to. Attention is over length tokens,
// but at most 16K, on a CPU 1K.
func MeasureRoofs(m *models.Model, length int) (Roofs, error) {
	d := m.Device()
	var r Roofs
	bytes, rows, tokens := 1<<30, 8192, min(length, 16384)
	if engine.OnHost(d.Name()) {
		bytes, rows, tokens = 1<<28, 512, min(length, 1024)
	}
	n := bytes / d.Type().Size()
	var arrays []engine.Array
	defer func() { d.Free(arrays...) }()
	array := func(n int) (engine.Array, error) {
		a, err := d.New(d.Type(), n)
		if err == nil {
			arrays = append(arrays, a)
		}
		return a, err
	}
	from, err := array(n)
	if err != nil {
		return r, err
	}
	to, err := array(n)
	if err != nil {
		return r, err
	}
	fill(d, from)
	took, err := median(d, func() { d.Copy(to, from) })
	if err != nil {
		return r, err
	}
	r.Bandwidth = 2 * float64(from.Bytes()) / took.Seconds()

	d.Free(arrays...)
	arrays = nil
	x, err := array(rows * m.Width)
	if err != nil {
		return r, err
	}
	fill(d, x)
	w := m.LargestProduct()
	product, err := array(rows * w.Rows())
	if err != nil {
		return r, err
	}
	took, err = median(d, func() { d.MatMul(product, x, w) })
	if err != nil {
		return r, err
	}
	r.Products = 2 * float64(rows) * float64(w.Rows()) * float64(w.Cols()) / took.Seconds()

	kv := engine.KV{Tokens: tokens, Heads: m.Heads.KV, Size: m.Heads.Size}
	if kv.K, err = array(tokens * m.KVWidth()); err != nil {
		return r, err
	}
	if kv.V, err = array(tokens * m.KVWidth()); err != nil {
		return r, err
	}
	q, err := array(tokens * m.QueryWidth())
	if err != nil {
		return r, err
	}
	out, err := array(tokens * m.QueryWidth())
	if err != nil {
		return r, err
	}
	for _, a := range []engine.Array{kv.K, kv.V, q} {
		fill(d, a)
	}
	took, err = median(d, func() { d.Attention(out, q, kv, 0, engine.Attention{Heads: m.Heads, Scale: 0.1}) })
	if err != nil {
		return r, err
	}
	r.Attention = 2 * float64(tokens) * float64(tokens+1) * float64(m.QueryWidth()) / took.Seconds()
	return r, nil
}

// fill gives an array random numbers, up to a million of them over and over: some chips
// compute faster with zeros.
func fill(d engine.Device, a engine.Array) {
	const most = 1 << 20
	rng := rand.New(rand.NewPCG(3, 4))
	part := make([]float32, min(a.Len, most))
	for i := range part {
		part[i] = float32(rng.NormFloat64())
	}
	d.Put(a.Slice(0, len(part)), part)
	for lo := len(part); lo < a.Len; lo += len(part) {
		n := min(len(part), a.Len-lo)
		d.Copy(a.Slice(lo, lo+n), a.Slice(0, n))
	}
}

// median times a synchronised operation: two warm-ups, then seven runs.
func median(d engine.Device, run func()) (time.Duration, error) {
	var all []time.Duration
	for i := range 9 {
		start := time.Now()
		run()
		if err := d.Sync(); err != nil {
			return 0, err
		}
		if i >= 2 {
			all = append(all, time.Since(start))
		}
	}
	return results.Percentile(all, 0.5), nil
}
