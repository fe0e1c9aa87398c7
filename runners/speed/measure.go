// Package speed measures throughput and memory: the time of prefill and of decoding
// steps, the peak of memory, and the roofs that each is held to. It prints and draws what
// it measured.
package speed

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/local"
	"github.com/snapbench/snapbench/runners/models"
)

// Measure runs a cell. Every sequence reads a prompt of its own, drawn from seed, unless
// Cell.Prompts is set, so that no two caches are alike by accident. Where the largest
// batch or length is asked for and what fits by the plan cannot be allocated, smaller
// ones are tried, and Speed.Notes say so. Any other cell that does not fit is a
// *DoesNotFit.
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
			// Half a per cent less: an allocator loses some to rounding.
			notes = append(notes, fmt.Sprintf("by the plan %d tokens fit, but an allocation failed (%s needed, %s free)", c.Length, engine.Bytes(large.Need), engine.Bytes(large.Free)))
			c.Length -= max(LengthGrain, c.Length/200/LengthGrain*LengthGrain)
		}
		if c.Batch < 1 || c.Length < planned.Length*4/5 {
			return nil, err
		}
	}
}

// measurement is a cell that runs.
type measurement struct {
	Cell     // its length and batch are given
	m        *models.Model
	d        engine.Device
	rng      *rand.Rand
	progress func(Step)
	out      *Speed

	ids  []int32           // of the prompt that is read
	held []models.Sequence // the batch's sequences so far
	feed []int32           // the next token of each
}

// measure runs a cell whose length and batch are given.
func measure(ctx context.Context, m *models.Model, c Cell, seed uint64, progress func(Step)) (*Speed, error) {
	if err := m.CheckPrompt(c.Variant, c.Length, 0); err != nil {
		return nil, err
	}
	x := &measurement{
		Cell: c, m: m, d: m.Device(), rng: rand.New(rand.NewPCG(seed, uint64(c.Length))), progress: progress, ids: make([]int32, c.Length),
		out: &Speed{Length: c.Length, Batch: c.Batch, Prompts: c.Batch, Plan: c.Plan(m)},
	}
	if c.Prompts > 0 {
		x.out.Prompts = min(c.Prompts, c.Batch)
	}
	if plan := x.out.Plan; !plan.Fits() {
		return nil, &DoesNotFit{Plan: plan, Need: plan.Need(), Free: plan.Free}
	}
	if x.out.Prompts < min(2, c.Batch) {
		return nil, fmt.Errorf("%d prompt for a batch of %d: want 2 at least, one to copy and one to read beside the copies", x.out.Prompts, c.Batch)
	}
	defer func() {
		for _, q := range x.held {
			x.d.FreeCache(q.Caches...)
		}
	}()
	if err := x.run(ctx); err != nil {
		return nil, x.lacking(err)
	}
	return x.out, nil
}

// lacking turns a failed allocation into a *DoesNotFit.
func (x *measurement) lacking(err error) error {
	var memory *engine.OutOfMemory
	if !errors.As(err, &memory) {
		return err
	}
	return &DoesNotFit{Plan: x.out.Plan, Need: memory.Need, Free: memory.Free, Allocating: true, held: len(x.held)}
}

// run reads the prompts and decodes.
func (x *measurement) run(ctx context.Context) error {
	draw(x.rng, x.ids, x.m.Vocab)
	if t, ok := x.d.(engine.Trimmer); ok {
		t.Trim() // or what the cell before had would count as taken by this one
	}
	if err := x.warm(ctx); err != nil {
		return err
	}
	x.d.ResetPeak()
	x.out.Weights = x.d.Memory().Weights
	began := time.Now()
	// First all prompts but one, then the copies, then the last prompt: its prefill must
	// have room beside the caches of all others.
	for number := 1; number < x.out.Prompts; number++ {
		if err := x.read(ctx, number); err != nil {
			return err
		}
	}
	for own := len(x.held); len(x.held) < x.Batch-1; {
		copied, err := x.m.Copy(x.held[len(x.held)%own])
		if err != nil {
			return err
		}
		x.held, x.feed = append(x.held, copied), append(x.feed, x.rng.Int32N(int32(x.m.Vocab)))
	}
	if err := x.read(ctx, x.out.Prompts); err != nil {
		return err
	}
	if err := x.decode(ctx, began); err != nil {
		return err
	}
	for _, q := range x.held {
		x.out.Cache += local.CacheBytes(q.Sequence, x.d.Type())
	}
	x.out.StepBytes = stepBytes(x.m, x.out.Weights, x.out.Cache, x.held[0].Sequence, x.Cell)
	x.out.PrefillProducts, x.out.PrefillAttention = x.m.PrefillOperations(x.Length, x.Part)
	return nil
}

// read reads a prompt, the number-th from 1, and audits its cache.
func (x *measurement) read(ctx context.Context, number int) error {
	draw(x.rng, x.ids, x.m.Vocab)
	prompt := models.Prompt{IDs: x.ids, Variants: []compress.Variant{x.Variant}, Room: x.steps(), Part: x.Part}
	if x.progress != nil {
		prompt.Progress = func(done, total int) {
			x.progress(Step{Prompt: number, Prompts: x.out.Prompts, Prefill: float64(done) / float64(total), Max: x.steps()})
		}
	}
	start := time.Now()
	p, err := x.m.Prefill(ctx, prompt)
	if err != nil {
		return err
	}
	x.out.Prefill = append(x.out.Prefill, time.Since(start))
	x.held, x.feed = append(x.held, p.Sequences[0]), append(x.feed, models.Greedy(p.Logits))
	if err := x.feedable(x.feed); err != nil {
		return err
	}
	_, _, err = local.Audit(x.d, x.m.Config, x.Variant, p.Sequences[0].Sequence, x.Length, false)
	return err
}

// decode runs the steps; began is when the first prompt's prefill did.
func (x *measurement) decode(ctx context.Context, began time.Time) error {
	decoder, err := x.m.NewDecoder(x.held)
	if err != nil {
		return err
	}
	defer decoder.Close()
	for i := range x.steps() {
		if err := ctx.Err(); err != nil {
			return err
		}
		start := time.Now()
		if x.feed, err = decoder.Step(x.feed); err != nil {
			return err
		}
		if i >= x.Warmup {
			x.out.Steps = append(x.out.Steps, time.Since(start))
		}
		if err := x.feedable(x.feed); err != nil {
			return err
		}
		if x.progress != nil {
			x.progress(Step{Prompt: x.out.Prompts, Prompts: x.out.Prompts, Prefill: 1, Decoded: i + 1, Max: x.steps()})
		}
	}
	memory := x.d.Memory()
	x.out.Total, x.out.Peak, x.out.Taken = time.Since(began), memory.Peak, memory.Taken
	return nil
}

// draw fills ids with random tokens of a vocabulary.
func draw(rng *rand.Rand, ids []int32, vocabulary int) {
	for i := range ids {
		ids[i] = rng.Int32N(int32(vocabulary))
	}
}

// feedable refuses tokens that were chosen of logits that are not finite. Where only a
// part of the prefill is computed, the logits are not the model's, and any token will do.
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

// warm computes the prompt's first layer with full attention, and those before it, lets the variant choose and gather in all
// layers, and frees the result: what a device loads or compiles when it first meets an
// operation is not part of a prefill. (A card's driver compiles kernels once on a machine,
// for about a second.) Of a mixture of experts it computes all layers, since the experts
// get another number of rows in each, for which cuBLAS loads other kernels.
func (x *measurement) warm(ctx context.Context) error {
	part := models.Part{Layers: x.m.LeastLayers(), Attending: 1}
	if x.m.Experts > 0 {
		part.Layers = x.Part.Layers
	}
	p, err := x.m.Prefill(ctx, models.Prompt{IDs: x.ids, Variants: []compress.Variant{x.Variant}, Room: x.steps(), Part: part})
	if err != nil {
		return err
	}
	p.Free()
	return nil
}

// stepBytes is what the middle one of the measured steps reads, and what it writes of states. Before the first step the
// caches of all sequences have cache bytes; q is one of the sequences.
func stepBytes(m *models.Model, weights, cache int64, q engine.Sequence, c Cell) int64 {
	perToken := 0.0
	for _, x := range q.Caches {
		perToken += x.PerToken(m.Device().Type())
	}
	weights -= m.IdleTableBytes() + m.IdleExpertBytes(c.Batch)
	return weights + cache + m.WrittenBytes(c.Batch) + int64(float64(c.Batch)*perToken*float64(c.Warmup+c.MaxNew/2))
}
