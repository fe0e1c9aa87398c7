package speed

import (
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/snapbench/snapbench/results"
)

// mostRepeats bounds how often a cell is measured.
const mostRepeats = 1000

// merged makes one row of a cell that was measured several times: times are means of the
// repeats' medians, with half the width of their 95 % interval; p10 and p90 are of the steps
// of all repeats; a peak is the highest.
func merged(runs []Row) Row {
	r := runs[len(runs)-1]
	if len(runs) == 1 || !r.Fits {
		return r
	}
	r.Repeats, r.PrefillEach, r.StepEach, r.steps = len(runs), nil, nil, nil
	var total float64
	for _, x := range runs {
		r.PrefillEach, r.StepEach, r.steps = append(r.PrefillEach, x.PrefillSeconds), append(r.StepEach, x.StepSeconds), append(r.steps, x.steps...)
		r.PeakBytes, r.DriverBytes = max(r.PeakBytes, x.PeakBytes), max(r.DriverBytes, x.DriverBytes)
		total += x.TotalSeconds
		for _, note := range x.Notes {
			if !slices.Contains(r.Notes, note) {
				r.Notes = append(r.Notes, note)
			}
		}
	}
	r.TotalSeconds = total / float64(len(runs))
	r.PrefillSeconds, r.PrefillError = meanOf(r.PrefillEach)
	r.StepSeconds, r.StepError = meanOf(r.StepEach)
	r.PrefillPerSecond, r.TokensPerSecond = float64(r.Length)/r.PrefillSeconds, float64(r.Batch)/r.StepSeconds
	r.StepP10, r.StepP90 = results.Percentile(r.steps, 0.1).Seconds(), results.Percentile(r.steps, 0.9).Seconds()
	return r
}

// meanOf returns the mean of two values or more and half the width of its 95 % interval, by
// Student's t.
func meanOf(x []float64) (mean, half float64) {
	for _, v := range x {
		mean += v / float64(len(x))
	}
	var squares float64
	for _, v := range x {
		squares += (v - mean) * (v - mean)
	}
	n := float64(len(x))
	return mean, student(len(x)-1) * math.Sqrt(squares/(n-1)/n)
}

// student is the 97.5 % quantile of Student's t.
func student(freedom int) float64 {
	table := []float64{12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
		2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042}
	if freedom <= len(table) {
		return table[freedom-1]
	}
	f := float64(freedom) // the first terms of Cornish and Fisher's expansion
	return 1.96 + 2.372/f + 2.82/(f*f)
}

// steadyWithin is how far p90 of a cell's steps may be above p10 for a ratio to be made of
// it. On a machine that does nothing else it is a few per cent.
const steadyWithin = 1.5

// unsteady says whether the row's steps vary so much that no ratio can be trusted.
func (r Row) unsteady() bool { return r.Fits && r.StepP10 > 0 && r.StepP90/r.StepP10 > steadyWithin }

// again is the cell with the length and batch that the first time found.
func (c Cell) again(first Row) Cell {
	c.Length, c.Batch = first.Length, first.Batch
	return c
}

// repeats prints means with their intervals, of rows that were measured several times.
func (s *Report) repeats(w io.Writer) {
	told := false
	for _, r := range s.Rows {
		if r.Repeats < 2 {
			continue
		}
		if !told {
			fmt.Fprintf(w, "\nmeans of %d repeats, ± 95 %%%62s %20s %20s\n", r.Repeats, "prefill s", "step ms", "tokens/s")
			told = true
		}
		length, batch := r.size()
		rate := r.TokensPerSecond * r.StepError / r.StepSeconds
		fmt.Fprintf(w, "%11s %8s  %-52s %20s %20s %20s\n", length, batch, r.Variant, plusMinus(r.PrefillSeconds, r.PrefillError),
			plusMinus(1000*r.StepSeconds, 1000*r.StepError), fmt.Sprintf("%.1f ± %.1f", r.TokensPerSecond, rate))
	}
}

func plusMinus(v, half float64) string { return fmt.Sprintf("%.3f ± %.3f", v, half) }
