// Package speed measures throughput and memory: cells of prefill, decoding steps and
// peak, the roofs that each is held to, and the report of them.
package speed

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/local"
	"github.com/snapbench/snapbench/runners/models"
)

// Cell is one measurement of speed: so many prompts of one length under one
// variant, decoded together.
type Cell struct {
	Length  int // 0: the longest that fits
	Batch   int // 0: the largest that fits
	Variant compress.Variant
	MaxNew  int // steps that are measured
	Warmup  int // steps before them that are not
	// Prompts is how many of the batch's sequences are read from prompts of their
	// own, 0 for all. The others' caches are copies of those, in memory of their own,
	// and other tokens are fed to them.
	Prompts int
	Part    models.Part // of each prefill
	Limit   int64       // bytes of the device to use at most, 0 for all there are
}

// Speed is what a cell took. Times are of synchronised steps, the end token not
// obeyed.
type Speed struct {
	Length, Batch, Prompts int // what ran
	Plan                   Footprint
	// Notes say where what ran is not what fits by the plan.
	Notes []string

	Prefill []time.Duration // of each prompt that was read
	Steps   []time.Duration
	Total   time.Duration // of all of it: prompts, copies, warm-up, steps
	Weights int64         // bytes on the device
	Cache   int64         // bytes that the prompts' caches hold
	Peak    int64         // highest use of the device by its own account
	Taken   int64         // what its driver says is taken at the end, by whomever; 0: it has none
	// StepBytes is what a step must read: the weights once, those of experts that no
	// token chooses left out ([models.Model.IdleExpertBytes]), and, at the middle of the
	// measured steps, every cache once.
	StepBytes int64
	// PrefillProducts and PrefillAttention are the operations (two for a multiply
	// and add) of one prompt's prefill, as much of it as was computed.
	PrefillProducts, PrefillAttention float64
}

// Step is where a cell is.
type Step struct {
	Prompt, Prompts int     // being read, from 1; of how many
	Prefill         float64 // share of this prompt's prefill that is done
	Decoded, Max    int     // steps
}

// Measure runs a cell. Every sequence has a prompt of its own, drawn from seed,
// unless Cell.Prompts says otherwise: nothing is shared by accident. Where the
// largest batch or length is asked for and what fits by the plan cannot be
// allocated, smaller ones are tried, and Speed.Notes say so. Anything else that
// has no room is a *DoesNotFit.
func Measure(ctx context.Context, m *models.Model, asked Cell, seed uint64, progress func(Step)) (*Speed, error) {
	planned, err := asked.Largest(m)
	if err != nil {
		return nil, err
	}
	c, notes, searched := planned, []string(nil), asked.Batch <= 0 || asked.Length <= 0
	for {
		s, err := measure(ctx, m, c, seed, progress)
		var large *DoesNotFit
		if err == nil || !errors.As(err, &large) || !large.Allocating || !searched {
			if err == nil {
				s.Notes = notes
			}
			return s, err
		}
		if asked.Batch <= 0 {
			notes = append(notes, fmt.Sprintf("by the plan %d sequences fit, but an allocation failed with %d there (%s needed, %s free)", c.Batch, large.held, engine.Bytes(large.Need), engine.Bytes(large.Free)))
			c.Batch = min(c.Batch-1, large.held)
		} else {
			// Half a per cent: an allocator loses some to rounding.
			notes = append(notes, fmt.Sprintf("by the plan %d tokens fit, but an allocation failed (%s needed, %s free)", c.Length, engine.Bytes(large.Need), engine.Bytes(large.Free)))
			c.Length -= max(LengthGrain, c.Length/200/LengthGrain*LengthGrain)
		}
		if c.Batch < 1 || c.Length < planned.Length*4/5 {
			return nil, err
		}
	}
}

// measure runs a cell whose length and batch are given.
func measure(ctx context.Context, m *models.Model, c Cell, seed uint64, progress func(Step)) (*Speed, error) {
	d := m.Device()
	room := c.Warmup + c.MaxNew
	if err := c.Variant.CheckPrompt(compress.Layer{Layers: m.Layers, Tokens: c.Length, Heads: m.Heads}); err != nil {
		return nil, err
	}
	s := &Speed{Length: c.Length, Batch: c.Batch, Prompts: c.Batch, Plan: c.Plan(m)}
	if !s.Plan.Fits() {
		return nil, &DoesNotFit{Plan: s.Plan, Need: s.Plan.Need(), Free: s.Plan.Free}
	}
	if c.Prompts > 0 {
		s.Prompts = min(c.Prompts, c.Batch)
	}
	if s.Prompts < min(2, c.Batch) {
		return nil, fmt.Errorf("%d prompt for a batch of %d: want 2 at least, one to copy and one to read beside the copies", s.Prompts, c.Batch)
	}
	var held []engine.Sequence
	defer func() {
		for _, q := range held {
			d.FreeCache(q.Caches...)
		}
	}()
	lacking := func(err error) error {
		var memory *engine.OutOfMemory
		if !errors.As(err, &memory) {
			return err
		}
		return &DoesNotFit{Plan: s.Plan, Need: memory.Need, Free: memory.Free, Allocating: true, held: len(held)}
	}
	rng := rand.New(rand.NewPCG(seed, uint64(c.Length)))
	ids, feed := make([]int32, c.Length), []int32(nil)
	draw := func() {
		for i := range ids {
			ids[i] = rng.Int32N(int32(m.Vocab))
		}
	}
	draw()
	if err := warm(ctx, m, c, ids); err != nil {
		return nil, lacking(err)
	}
	d.ResetPeak()
	s.Weights = d.Memory().Weights
	began := time.Now()
	read := func(number int) error {
		draw()
		prompt := models.Prompt{IDs: ids, Variants: []compress.Variant{c.Variant}, Room: room, Part: c.Part}
		if progress != nil {
			prompt.Progress = func(done, total int) {
				progress(Step{Prompt: number, Prompts: s.Prompts, Prefill: float64(done) / float64(total), Max: room})
			}
		}
		start := time.Now()
		p, err := m.Prefill(ctx, prompt)
		if err != nil {
			return lacking(err)
		}
		s.Prefill = append(s.Prefill, time.Since(start))
		held, feed = append(held, p.Sequences[0]), append(feed, models.Greedy(p.Logits))
		if err := c.feedable(feed); err != nil {
			return err
		}
		_, _, err = local.Audit(d, c.Variant, p.Sequences[0], c.Length, m.Heads, false)
		return err
	}
	// All prompts but one, the copies, the last prompt: that its prefill has room
	// beside the caches of all others is part of what is shown.
	for number := 1; number < s.Prompts; number++ {
		if err := read(number); err != nil {
			return nil, err
		}
	}
	for own := len(held); len(held) < c.Batch-1; {
		copied, err := m.Copy(held[len(held)%own])
		if err != nil {
			return nil, lacking(err)
		}
		held, feed = append(held, copied), append(feed, rng.Int32N(int32(m.Vocab)))
	}
	if err := read(s.Prompts); err != nil {
		return nil, err
	}
	decoder, err := m.NewDecoder(held)
	if err != nil {
		return nil, lacking(err)
	}
	defer decoder.Close()
	for i := range room {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		start := time.Now()
		next, err := decoder.Step(feed)
		if err != nil {
			return nil, lacking(err)
		}
		if i >= c.Warmup {
			s.Steps = append(s.Steps, time.Since(start))
		}
		feed = next
		if err := c.feedable(feed); err != nil {
			return nil, err
		}
		if progress != nil {
			progress(Step{Prompt: s.Prompts, Prompts: s.Prompts, Prefill: 1, Decoded: i + 1, Max: room})
		}
	}
	memory := d.Memory()
	s.Total, s.Peak, s.Taken = time.Since(began), memory.Peak, memory.Taken
	for _, q := range held {
		s.Cache += local.CacheBytes(q, d.Type())
	}
	s.StepBytes = stepBytes(m, s.Weights, s.Cache, held[0], c)
	s.PrefillProducts, s.PrefillAttention = m.PrefillOperations(c.Length, c.Part)
	return s, nil
}

// feedable refuses a step whose logits were not finite. Where only a part of the
// prefill is computed they are not the model's, and what is fed is nothing to it.
func (c Cell) feedable(feed []int32) error {
	for i, token := range feed {
		switch {
		case token >= 0:
		case c.Part == models.Part{}:
			return fmt.Errorf("the logits of sequence %d are not finite: the model's weights are damaged, or its activations beyond the device's number format", i)
		default:
			feed[i] = 0
		}
	}
	return nil
}

// warm has a prompt's first layer computed, of a mixture all, and the variant choose and
// gather for all, and forgets it: what a device loads or compiles when it first meets an
// operation is not part of a prefill. (A card's driver compiles kernels for a second, once
// on a machine. In each of a mixture's layers the experts get other numbers of rows, for
// which cuBLAS loads other kernels.)
func warm(ctx context.Context, m *models.Model, c Cell, ids []int32) error {
	part := models.Part{Layers: 1, Attending: 1}
	if m.Experts > 0 {
		part.Layers = c.Part.Layers
	}
	p, err := m.Prefill(ctx, models.Prompt{IDs: ids, Variants: []compress.Variant{c.Variant}, Room: c.Warmup + c.MaxNew, Part: part})
	if err != nil {
		return err
	}
	p.Free()
	return nil
}

// stepBytes is what a step reads, with cache bytes in all sequences' caches
// before the first.
func stepBytes(m *models.Model, weights, cache int64, q engine.Sequence, c Cell) int64 {
	element := int64(m.Device().Type().Size())
	perToken := int64(0)
	for _, x := range q.Caches {
		perToken += 2 * int64(len(x.Len)) * int64(x.Size) * element
	}
	if !m.Tied {
		// The input table is not read but for the tokens' own rows.
		weights -= int64(m.Vocab) * int64(m.Width) * element
	}
	weights -= m.IdleExpertBytes(c.Batch)
	return weights + cache + int64(c.Batch)*perToken*int64(c.Warmup+c.MaxNew/2)
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
