package speed

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/local"
	"github.com/snapbench/snapbench/runners/models"
)

// Shared is what one prompt under several variants together took: one prefill,
// in which all choose and gather, and one batch that decodes them all.
type Shared struct {
	Prefill time.Duration // compression for all variants included
	Decode  time.Duration // all new tokens of all variants, the batch's setting up included
	Peak    int64
	Host    []string // the variants that choose in plain Go over copies
}

// MeasureShared reads one random prompt for all variants and decodes maxNew
// tokens of each, the end token not obeyed.
func MeasureShared(ctx context.Context, m *models.Model, length, maxNew int, variants []compress.Variant, seed uint64) (*Shared, error) {
	d := m.Device()
	plan := m.Plan(variants, length, maxNew, false)
	if free := d.Memory().Free; free > 0 && plan.Total() > free {
		return nil, &DoesNotFit{Need: plan.Total(), Free: free}
	}
	rng := rand.New(rand.NewPCG(seed, uint64(length)))
	ids := make([]int32, length)
	for i := range ids {
		ids[i] = rng.Int32N(int32(m.Vocab))
	}
	d.ResetPeak()
	r := local.New(m, func([]int32) string { return "" })
	start := time.Now()
	out, err := r.Run(ctx, []runners.Request{{Prompt: ids, Variants: runners.VariantsOf(variants), MaxNew: maxNew}})
	if err != nil {
		return nil, err
	}
	took := time.Since(start)
	s := &Shared{Prefill: out[0][0].Prefill, Peak: d.Memory().Peak}
	for _, c := range out[0] {
		if c.Err != nil {
			return nil, fmt.Errorf("%s: %w", c.Variant, c.Err)
		}
		if c.Host {
			s.Host = append(s.Host, c.Variant.String())
		}
	}
	s.Decode = took - s.Prefill
	return s, nil
}
