package speed

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/results"
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
	Host    []string      // the variants that choose in plain Go over copies
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
	out, err := runners.Answer(ctx, r, runners.Request{Prompt: ids, Variants: runners.VariantsOf(variants), MaxNew: maxNew})
	if err != nil {
		return nil, err
	}
	took := time.Since(start)
	s := &Shared{Prefill: out[0][0].Prefill, Peak: out[0][0].PeakBytes}
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

// SharedRow is a line of speed --shared: medians over runs, in seconds.
type SharedRow struct {
	Length   int      `json:"length"`
	Variants int      `json:"variants"`
	Prefill  float64  `json:"prefill_seconds"`
	Decode   float64  `json:"decode_seconds"`
	Total    float64  `json:"total_seconds"`
	Peak     int64    `json:"peak_bytes"`     // of the last run
	Host     []string `json:"host,omitempty"` // variants that choose in plain Go over copies
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
		Length: length, Variants: variants, Prefill: results.Percentile(prefill, 0.5).Seconds(), Decode: results.Percentile(decode, 0.5).Seconds(),
		Total: results.Percentile(total, 0.5).Seconds(), Peak: runs[len(runs)-1].Peak, Host: runs[len(runs)-1].Host,
	}
}

// Shared measures each length of a plan and prints it as it comes, or all as JSON at the
// end: all variants together, against the first alone, in the median of repeat runs.
func (p Plan) Shared(ctx context.Context, w io.Writer, m *models.Model, repeat int, asJSON bool) error {
	if !asJSON {
		fmt.Fprintf(w, "%s: %s\n%7s %8s %10s %10s %10s %9s\n", m.Device().Name(), m.Device().Describe(), "length", "variants", "prefill s", "decode s", "total s", "peak GiB")
	}
	var rows []SharedRow
	for _, n := range p.Lengths {
		alone, together, err := CompareShared(ctx, m, n, p.MaxNew, p.Variants, repeat, p.Seed)
		if err != nil {
			return err
		}
		rows = append(rows, alone, together)
		if asJSON {
			continue
		}
		for _, r := range rows[len(rows)-2:] {
			fmt.Fprintf(w, "%7d %8d %10.3f %10.3f %10.3f %9.2f\n", r.Length, r.Variants, r.Prefill, r.Decode, r.Total, GiB(r.Peak))
		}
		fmt.Fprintf(w, "%d variants take %.2f × the time of %s alone\n", len(p.Variants), together.Total/alone.Total, p.Variants[0])
		for _, v := range together.Host {
			fmt.Fprintf(w, "%s chooses on the host, over copies\n", v)
		}
	}
	if asJSON {
		return json.NewEncoder(w).Encode(rows)
	}
	return nil
}
