package runners

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/models"
)

// Cell is one measurement of speed: so many prompts of one length under one
// variant, decoded together.
type Cell struct {
	Length  int
	Batch   int
	Variant compress.Variant
	MaxNew  int // steps that are measured
	Warmup  int // steps before them that are not
}

// Speed is what a cell took. Times are of synchronised steps, the end token not
// obeyed.
type Speed struct {
	Prefill []time.Duration // of each prompt of the batch
	Steps   []time.Duration
	Weights int64 // bytes on the device
	Cache   int64 // bytes that the prompts' caches hold
	Peak    int64 // highest use of the device by its own account
	// StepBytes is what a step must read at least: the weights once and, at the
	// middle of the measured steps, every cache once.
	StepBytes int64
	// PrefillProducts and PrefillAttention are the operations (two for a multiply
	// and add) of one prompt's prefill.
	PrefillProducts, PrefillAttention float64
}

// DoesNotFit says what a cell would have needed.
type DoesNotFit struct{ Need, Free int64 }

func (e *DoesNotFit) Error() string {
	const gib = 1 << 30
	return fmt.Sprintf("does not fit: needs %.2f GiB, %.2f GiB free", float64(e.Need)/gib, float64(e.Free)/gib)
}

// Measure runs a cell. Every sequence has a prompt of its own, drawn from seed:
// nothing is shared by accident.
func Measure(ctx context.Context, m *models.Model, c Cell, seed uint64, progress func(Progress)) (*Speed, error) {
	d := m.Device()
	room := c.Warmup + c.MaxNew
	variants := make([]compress.Variant, c.Batch)
	for i := range variants {
		variants[i] = c.Variant
	}
	if err := c.Variant.CheckPrompt(m.Layers, c.Length); err != nil {
		return nil, err
	}
	// The prompts are read one after the other: what one prefill needs, and all caches.
	plan := m.Plan(variants, c.Length, room, false)
	if free := d.Memory().Free; free > 0 && plan.Total() > free {
		return nil, &DoesNotFit{plan.Total(), free}
	}
	d.ResetPeak()
	s := &Speed{Weights: d.Memory().Weights}
	var held []*models.Prefilled
	defer func() {
		for _, p := range held {
			p.Free()
		}
	}()
	var sequences []engine.Sequence
	rng := rand.New(rand.NewPCG(seed, uint64(c.Length)))
	for i := range c.Batch {
		ids := make([]int32, c.Length)
		for j := range ids {
			ids[j] = rng.Int32N(int32(m.Vocab))
		}
		prompt := models.Prompt{IDs: ids, Variants: variants[:1], Room: room}
		if progress != nil {
			prompt.Progress = func(done, total int) {
				progress(Progress{Prefill: (float64(i) + float64(done)/float64(total)) / float64(c.Batch), Max: room})
			}
		}
		start := time.Now()
		p, err := m.Prefill(ctx, prompt)
		if err != nil {
			var memory *engine.OutOfMemory
			if errors.As(err, &memory) {
				return nil, &DoesNotFit{max(plan.Total(), memory.Need), memory.Free}
			}
			return nil, err
		}
		s.Prefill = append(s.Prefill, time.Since(start))
		held = append(held, p)
		sequences = append(sequences, p.Sequences[0])
		if _, _, err := audit(d, c.Variant, p.Sequences[0], c.Length, m.Heads); err != nil {
			return nil, err
		}
		s.Cache += cacheBytes(p.Sequences[0], d.Type())
	}
	decoder, err := m.NewDecoder(sequences)
	if err != nil {
		var memory *engine.OutOfMemory
		if errors.As(err, &memory) {
			return nil, &DoesNotFit{plan.Total(), memory.Free}
		}
		return nil, err
	}
	defer decoder.Close()
	feed := make([]int32, c.Batch)
	for i, p := range held {
		feed[i] = models.Greedy(p.Logits)
	}
	for i := range room {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		start := time.Now()
		next, err := decoder.Step(feed)
		if err != nil {
			return nil, err
		}
		if i >= c.Warmup {
			s.Steps = append(s.Steps, time.Since(start))
		}
		feed = next
		if progress != nil {
			progress(Progress{Prefill: 1, Decoded: i + 1, Max: room})
		}
	}
	s.Peak = d.Memory().Peak
	perToken := int64(0)
	for _, cache := range sequences[0].Caches {
		perToken += 2 * int64(len(cache.Len)) * int64(cache.Size) * int64(d.Type().Size())
	}
	embedding := int64(0)
	if !m.Tied {
		// The input table is not read but for the tokens' own rows.
		embedding = int64(m.Vocab) * int64(m.Width) * int64(d.Type().Size())
	}
	s.StepBytes = s.Weights - embedding + s.Cache + int64(c.Batch)*perToken*int64(c.Warmup+c.MaxNew/2)
	s.PrefillProducts, s.PrefillAttention = m.PrefillOperations(c.Length)
	return s, nil
}

// Quantile returns the q-quantile of durations, 0 to 1, nearest rank.
func Quantile(d []time.Duration, q float64) time.Duration {
	if len(d) == 0 {
		return 0
	}
	s := slices.Clone(d)
	slices.Sort(s)
	return s[min(len(s)-1, int(q*float64(len(s))))]
}

// Roofs are the rates a device reaches in its own operations, measured.
type Roofs struct {
	Bandwidth float64 // bytes a second, of a large copy, reading and writing counted
	Products  float64 // operations a second, of a large product
	Attention float64 // operations a second, of causal attention over 16K tokens or the length given
}

// MeasureRoofs measures what a cell's time is held to.
func MeasureRoofs(m *models.Model, length int) (Roofs, error) {
	d := m.Device()
	var r Roofs
	small := d.Name() == "cpu" || d.Name() == "ref"
	bytes, rows, tokens := 1<<30, 8192, min(length, 16384)
	if small {
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
	d.Put(from.Slice(0, 1<<20), make([]float32, 1<<20))
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
	took, err = median(d, func() { d.Attention(out, q, kv, 0, m.Heads, 0, 0.1) })
	if err != nil {
		return r, err
	}
	r.Attention = 2 * float64(tokens) * float64(tokens+1) * float64(m.QueryWidth()) / took.Seconds()
	return r, nil
}

// fill gives an array numbers that are none in particular: zeros compute faster
// on some chips.
func fill(d engine.Device, a engine.Array) {
	const most = 1 << 20
	rng := rand.New(rand.NewPCG(3, 4))
	part := make([]float32, min(a.Len, most))
	for i := range part {
		part[i] = float32(rng.NormFloat64())
	}
	for lo := 0; lo < a.Len; lo += len(part) {
		n := min(len(part), a.Len-lo)
		d.Put(a.Slice(lo, lo+n), part[:n])
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
	return Quantile(all, 0.5), nil
}

// Shared is what one prompt under several variants together took: one prefill,
// in which all choose and gather, and one batch that decodes them all.
type Shared struct {
	Prefill time.Duration // compression for all variants included
	Decode  time.Duration // all new tokens of all variants, the batch's setting up included
	Peak    int64
}

// MeasureShared reads one random prompt for all variants and decodes maxNew
// tokens of each, the end token not obeyed.
func MeasureShared(ctx context.Context, m *models.Model, length, maxNew int, variants []compress.Variant, seed uint64) (*Shared, error) {
	d := m.Device()
	plan := m.Plan(variants, length, maxNew, false)
	if free := d.Memory().Free; free > 0 && plan.Total() > free {
		return nil, &DoesNotFit{plan.Total(), free}
	}
	rng := rand.New(rand.NewPCG(seed, uint64(length)))
	ids := make([]int32, length)
	for i := range ids {
		ids[i] = rng.Int32N(int32(m.Vocab))
	}
	d.ResetPeak()
	r := NewLocal(m, func([]int32) string { return "" })
	start := time.Now()
	out, err := r.Run(ctx, []Request{{Prompt: ids, Variants: variants, MaxNew: maxNew}})
	if err != nil {
		return nil, err
	}
	took := time.Since(start)
	for _, c := range out[0] {
		if c.Err != nil {
			return nil, fmt.Errorf("%s: %w", c.Variant, c.Err)
		}
	}
	s := &Shared{Prefill: out[0][0].Prefill, Peak: d.Memory().Peak}
	s.Decode = took - s.Prefill
	return s, nil
}
