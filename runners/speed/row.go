package speed

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/local"
)

// Row is a measured cell as speed.json has it. Times are in seconds, sizes in bytes.
type Row struct {
	Model        string `json:"model"`
	Rope         string `json:"rope,omitempty"` // scaling of the rotation in place of the model's own
	Device       string `json:"device"`
	DType        string `json:"dtype"`
	Length       int    `json:"length"` // tokens of the prompts that ran
	Batch        int    `json:"batch"`
	LongestAsked bool   `json:"longest_asked,omitempty"` // the length was searched for (--lengths max)
	LargestAsked bool   `json:"largest_asked,omitempty"` // the batch was searched for (--batch max)
	Variant      string `json:"variant"`
	Fits         bool   `json:"fits"`
	Need         int64  `json:"need_bytes,omitempty"` // Need and Free are set where the cell does not fit
	Free         int64  `json:"free_bytes,omitempty"`
	Allocating   bool   `json:"allocation_failed,omitempty"` // the plan fits, an allocation failed
	NewTokens    int    `json:"new_tokens,omitempty"`

	Prompts   int `json:"prompts,omitempty"` // that were read; the other sequences have copies of their caches
	Layers    int `json:"prefill_layers,omitempty"`
	Attending int `json:"prefill_attending,omitempty"`

	PrefillSeconds   float64 `json:"prefill_seconds,omitempty"` // median over the batch's prompts
	PrefillPerSecond float64 `json:"prefill_tokens_per_second,omitempty"`
	PrefillRoof      float64 `json:"prefill_roof_seconds,omitempty"` // its operations at the measured rates
	StepSeconds      float64 `json:"step_seconds,omitempty"`         // median
	StepP10          float64 `json:"step_p10_seconds,omitempty"`
	StepP90          float64 `json:"step_p90_seconds,omitempty"`
	StepRoof         float64 `json:"step_roof_seconds,omitempty"` // its bytes at the measured bandwidth
	TokensPerSecond  float64 `json:"tokens_per_second,omitempty"`
	TotalSeconds     float64 `json:"total_seconds,omitempty"` // reading all prompts and all steps
	PeakBytes        int64   `json:"peak_bytes,omitempty"`    // most that the device had allocated
	DriverBytes      int64   `json:"driver_bytes,omitempty"`  // in use on the card after the steps, by any process, as the driver counts
	WeightBytes      int64   `json:"weight_bytes,omitempty"`
	CacheBytes       int64   `json:"cache_bytes,omitempty"`
	StepBytes        int64   `json:"step_bytes,omitempty"`

	// Of a cell that was measured several times: half the width of the 95 % intervals of
	// PrefillSeconds and StepSeconds, which are means then, and each repeat's own.
	Repeats      int       `json:"repeats,omitempty"`
	PrefillError float64   `json:"prefill_seconds_error,omitempty"`
	StepError    float64   `json:"step_seconds_error,omitempty"`
	PrefillEach  []float64 `json:"prefill_seconds_each,omitempty"`
	StepEach     []float64 `json:"step_seconds_each,omitempty"`

	Plan  Footprint `json:"plan"`
	Notes []string  `json:"notes,omitempty"`

	steps []time.Duration // as measured; none where the row was read from a file
}

// model names the model and the scaling of its rotation, where that was set.
func (r Row) model() string {
	if r.Rope != "" {
		return r.Model + ", rope " + r.Rope
	}
	return r.Model
}

// MeasureRow measures a cell and returns its row. A cell that does not fit gives a row
// that says so, not an error.
func MeasureRow(ctx context.Context, e *local.Engine, roofs Roofs, c Cell, seed uint64, step func(Step)) (Row, error) {
	about := e.Describe()
	row := Row{Model: about.Model, Rope: about.Rope, Device: about.Device, DType: about.DType, Length: c.Length, Batch: c.Batch, Variant: c.Variant.String(),
		LongestAsked: c.Length == 0, LargestAsked: c.Batch == 0, Layers: c.Part.Layers, Attending: c.Part.Attending}
	s, err := Measure(ctx, e.Model(), c, seed, step)
	var large *DoesNotFit
	if errors.As(err, &large) {
		row.Need, row.Free, row.Plan, row.Allocating = large.Need, large.Free, large.Plan, large.Allocating
		return row, nil
	}
	if err != nil {
		return row, err
	}
	row.Fits, row.NewTokens, row.steps = true, c.MaxNew, s.Steps
	row.Length, row.Batch, row.Prompts, row.Plan, row.Notes = s.Length, s.Batch, s.Prompts, s.Plan, s.Notes
	prefill, step50 := results.Percentile(s.Prefill, 0.5), results.Percentile(s.Steps, 0.5)
	row.PrefillSeconds, row.PrefillPerSecond = prefill.Seconds(), float64(s.Length)/prefill.Seconds()
	row.PrefillRoof = s.PrefillProducts/roofs.Products + s.PrefillAttention/roofs.Attention
	row.StepSeconds, row.StepP10, row.StepP90 = step50.Seconds(), results.Percentile(s.Steps, 0.1).Seconds(), results.Percentile(s.Steps, 0.9).Seconds()
	row.StepRoof = float64(s.StepBytes) / roofs.Bandwidth
	row.TokensPerSecond = float64(s.Batch) / step50.Seconds()
	row.TotalSeconds = s.Total.Seconds()
	row.PeakBytes, row.DriverBytes, row.WeightBytes, row.CacheBytes, row.StepBytes = s.Peak, s.Taken, s.Weights, s.Cache, s.StepBytes
	return row, nil
}

// size is the row's length and batch as tables print them: "max 8" was searched for.
func (r Row) size() (length, batch string) {
	length, batch = fmt.Sprint(r.Length), fmt.Sprint(r.Batch)
	if r.LongestAsked {
		length = "max " + length
	}
	if r.LargestAsked {
		batch = "max " + batch
	}
	return length, batch
}

// asked is the length and batch as they were asked for, "max" where they were searched for.
func (r Row) asked() (length, batch string) {
	length, batch = fmt.Sprint(r.Length), fmt.Sprint(r.Batch)
	if r.LongestAsked {
		length = "max"
	}
	if r.LargestAsked {
		batch = "max"
	}
	return length, batch
}

// misfit says why the cell did not run.
func (r Row) misfit() string {
	if r.Allocating {
		return fmt.Sprintf("fits by the plan, but an allocation failed: needs %s, %s free", engine.Bytes(r.Need), engine.Bytes(r.Free))
	}
	return fmt.Sprintf("does not fit: needs %s, %s free", engine.Bytes(r.Need), engine.Bytes(r.Free))
}

// Line returns the row as one line of progress.
func (r Row) Line() string {
	if !r.Fits {
		return fmt.Sprintf("%d × %d tokens, %s: %s", r.Batch, r.Length, r.Variant, r.misfit())
	}
	return fmt.Sprintf("%d × %d tokens, %s: prefill %.3f s, step %.2f ms, peak %.2f GiB, %.1f s in all", r.Batch, r.Length, r.Variant, r.PrefillSeconds, 1000*r.StepSeconds, GiB(r.PeakBytes), r.TotalSeconds)
}

// remarks say in what the row is not a plain measurement; tables print them as footnotes.
func (r Row) remarks() []string {
	var list []string
	if r.Rope != "" {
		list = append(list, "rope "+r.Rope+" in place of the model's own")
	}
	if r.Fits && r.Prompts < r.Batch {
		list = append(list, fmt.Sprintf("of a batch %d prompts were read; the other sequences have copies of their caches, in memory of their own", r.Prompts))
	}
	if r.Layers > 0 {
		list = append(list, fmt.Sprintf("a prefill computes %d of the layers, the others take their caches from it: its time is not the model's, all memory and every step is", r.Layers))
	}
	if r.Attending > 0 {
		list = append(list, fmt.Sprintf("of a prompt the last %d tokens attend, over all its keys", min(r.Attending, r.Length)))
	}
	if r.unsteady() {
		list = append(list, fmt.Sprintf("steps vary: p90 is more than %.1f × p10, so that no ratio is made of them; something else may use the machine", steadyWithin))
	}
	return append(list, r.Notes...)
}

// GiB converts bytes to GiB.
func GiB(bytes int64) float64 { return float64(bytes) / (1 << 30) }
