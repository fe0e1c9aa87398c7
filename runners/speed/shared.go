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

// Shared is what one prompt under several variants together took: one prefill, in which
// every variant chooses and gathers its cache, and one batch that decodes all of them.
type Shared struct {
	Prefill time.Duration // compression for all variants included
	Decode  time.Duration // all new tokens of all variants, setting up the batch included
	Peak    int64         // bytes
}

// MeasureShared reads one random prompt for all variants and decodes maxNew tokens under
// each; an end token does not stop a sequence.
func MeasureShared(ctx context.Context, m *models.Model, length, maxNew int, variants []compress.Variant, seed uint64) (*Shared, error) {
	d := m.Device()
	plan := m.Plan(variants, length, maxNew, false)
	if free := d.Memory().Free; free > 0 && plan.Total() > free {
		return nil, &DoesNotFit{Need: plan.Total(), Free: free}
	}
	ids := make([]int32, length)
	draw(rand.New(rand.NewPCG(seed, uint64(length))), ids, m.Vocab)
	d.ResetPeak()
	r := local.New(m, func([]int32) string { return "" })
	start := time.Now()
	out, err := r.Run(ctx, []runners.Request{{Prompt: ids, Variants: runners.VariantsOf(variants), MaxNew: maxNew}})
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

// SharedRow is a line of speed --shared: medians over runs, in seconds.
type SharedRow struct {
	Length   int     `json:"length"`
	Variants int     `json:"variants"`
	Prefill  float64 `json:"prefill_seconds"`
	Decode   float64 `json:"decode_seconds"`
	Total    float64 `json:"total_seconds"`
	Peak     int64   `json:"peak_bytes"` // of the last run
}

// CompareShared measures the first variant alone and all variants together, in turn, so
// that a slow spell of the machine meets both. The first of repeat+1 rounds is not counted.
func CompareShared(ctx context.Context, m *models.Model, length, maxNew int, variants []compress.Variant, repeat int, seed uint64) (alone, together SharedRow, err error) {
	groups := [2][]compress.Variant{variants[:1], variants}
	var runs [2][]*Shared
	for i := range repeat + 1 {
		for g, list := range groups {
			s, err := MeasureShared(ctx, m, length, maxNew, list, seed+uint64(i))
			if err != nil {
				return alone, together, err
			}
			if i > 0 {
				runs[g] = append(runs[g], s)
			}
		}
	}
	return sharedRow(length, len(groups[0]), runs[0]), sharedRow(length, len(groups[1]), runs[1]), nil
}

// sharedRow sums up runs.
func sharedRow(length, variants int, runs []*Shared) SharedRow {
	var prefill, decode, total []time.Duration
	for _, s := range runs {
		prefill, decode, total = append(prefill, s.Prefill), append(decode, s.Decode), append(total, s.Prefill+s.Decode)
	}
	return SharedRow{
		Length: length, Variants: variants, Prefill: Quantile(prefill, 0.5).Seconds(), Decode: Quantile(decode, 0.5).Seconds(),
		Total: Quantile(total, 0.5).Seconds(), Peak: runs[len(runs)-1].Peak,
	}
}
