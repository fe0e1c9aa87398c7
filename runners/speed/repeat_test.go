package speed

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"
)

// Means of repeats have Student's interval: of 1, 2 and 3 the spread is 1, and 4.303·1/√3 is
// half the interval's width.
func TestMeanOf(t *testing.T) {
	mean, half := meanOf([]float64{1, 2, 3})
	if mean != 2 || !(math.Abs(half-4.303/math.Sqrt(3)) < 1e-9) {
		t.Errorf("%v ± %v", mean, half)
	}
	if mean, half := meanOf([]float64{5, 5}); mean != 5 || half != 0 {
		t.Errorf("%v ± %v", mean, half)
	}
	// Tables of Student's t: 2.040 at 31 degrees of freedom, 1.984 at 100, 1.960 without end.
	for freedom, want := range map[int]float64{1: 12.706, 30: 2.042, 31: 2.040, 100: 1.984, 100_000: 1.960} {
		if got := student(freedom); !(math.Abs(got-want) < 0.001) {
			t.Errorf("t at %d degrees of freedom: %v, want %v", freedom, got, want)
		}
	}
}

// run is a row of a cell measured once.
func run(step time.Duration, peak int64, steps ...time.Duration) Row {
	return Row{Fits: true, Variant: "full", Length: 100, Batch: 2, PrefillSeconds: 1, StepSeconds: step.Seconds(), PeakBytes: peak, TotalSeconds: 3,
		StepP10: step.Seconds(), StepP90: step.Seconds(), StepRoof: step.Seconds(), PrefillRoof: 1, StepBytes: 1 << 20, steps: steps}
}

// Repeats of a cell are one row: means with intervals, p10 and p90 of all steps, the highest peak.
func TestMerged(t *testing.T) {
	const ms = time.Millisecond
	r := merged([]Row{run(10*ms, 5, 10*ms, 10*ms, 10*ms), run(20*ms, 7, 20*ms, 20*ms, 20*ms), run(30*ms, 6, 30*ms, 30*ms, 30*ms)})
	if r.Repeats != 3 || r.PeakBytes != 7 || !(math.Abs(r.StepSeconds-0.020) < 1e-12) || !(math.Abs(r.StepError-0.010*4.303/math.Sqrt(3)) < 1e-6) || r.PrefillError != 0 {
		t.Errorf("%+v", r)
	}
	if r.StepP10 != 0.010 || r.StepP90 != 0.030 || !(math.Abs(r.TokensPerSecond-100) < 1e-9) || len(r.StepEach) != 3 || !r.unsteady() {
		t.Errorf("%+v", r)
	}
	if r := merged([]Row{{Variant: "full"}, {Variant: "full"}}); r.Repeats != 0 || r.Fits {
		t.Errorf("what does not fit: %+v", r)
	}
}

// Where steps vary by more than half no ratio of times is printed; that of memory stays. What
// is longer than the model's context is marked.
func TestUnsteady(t *testing.T) {
	s := madeUp()
	s.Context = 65536
	i := 0
	for s.Rows[i].Variant == "full" || s.Rows[i].Length != 16384 || s.Rows[i].Batch != 8 {
		i++
	}
	of := func(text, first string) string {
		t.Helper()
		_, text, _ = strings.Cut(text, "same length and batch")
		for line := range strings.SplitSeq(text, "\n") {
			if strings.Contains(line, first) {
				return strings.Join(strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), first)), " ")
			}
		}
		t.Fatalf("no line with %q in\n%s", first, text)
		return ""
	}
	print := func() string {
		t.Helper()
		var w bytes.Buffer
		if err := s.Table(&w); err != nil {
			t.Fatal(err)
		}
		return w.String()
	}
	line := "16384        8  " + s.Rows[i].Variant
	before := print()
	if got := of(before, line); !strings.Contains(got, "× 100 %") || strings.Contains(before, "steps vary") {
		t.Errorf("steady: %s", got)
	}
	s.Rows[i].StepP90 = 1.6 * s.Rows[i].StepP10
	after := print()
	if got := of(after, line); !strings.HasPrefix(got, "– ") || strings.Contains(got, "%") || strings.Count(got, "×") != 2 {
		t.Errorf("unsteady: %s", got)
	}
	for _, want := range []string{"steps vary: p90 is more than 1.5 × p10", "prompts beyond the model's context of 65536 tokens", "2900000     22.13 × *", "* beyond the model's context of 65536 tokens"} {
		if !strings.Contains(after, want) {
			t.Errorf("no %q in\n%s", want, after)
		}
	}
	points := len(s.curves().faster)
	s.Rows[i].StepP90 = s.Rows[i].StepP10
	if n := len(s.curves().faster); n != points+1 {
		t.Errorf("%d points of the ratio's picture with the unsteady cell, %d with it steady", points, n)
	}
}
