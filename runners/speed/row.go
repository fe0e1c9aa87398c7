package speed

import (
	"context"
	"errors"

	"github.com/snapbench/snapbench/runners/local"
)

// MeasureRow runs a cell and sums it up; one that does not fit is a row that says so.
func MeasureRow(ctx context.Context, e *local.Engine, roofs Roofs, c Cell, seed uint64, step func(Step)) (Row, error) {
	about := e.Describe()
	row := Row{Model: about.Model, Device: about.Device, DType: about.DType, Length: c.Length, Batch: c.Batch, Variant: c.Variant.String(),
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
	row.Fits, row.NewTokens = true, c.MaxNew
	row.Length, row.Batch, row.Prompts, row.Plan, row.Notes = s.Length, s.Batch, s.Prompts, s.Plan, s.Notes
	prefill, step50 := Quantile(s.Prefill, 0.5), Quantile(s.Steps, 0.5)
	row.PrefillSeconds, row.PrefillPerSecond = prefill.Seconds(), float64(s.Length)/prefill.Seconds()
	row.PrefillRoof = s.PrefillProducts/roofs.Products + s.PrefillAttention/roofs.Attention
	row.StepSeconds, row.StepP10, row.StepP90 = step50.Seconds(), Quantile(s.Steps, 0.1).Seconds(), Quantile(s.Steps, 0.9).Seconds()
	row.StepRoof = float64(s.StepBytes) / roofs.Bandwidth
	row.TokensPerSecond = float64(s.Batch) / step50.Seconds()
	row.TotalSeconds = s.Total.Seconds()
	row.PeakBytes, row.DriverBytes, row.WeightBytes, row.CacheBytes, row.StepBytes = s.Peak, s.Taken, s.Weights, s.Cache, s.StepBytes
	return row, nil
}
