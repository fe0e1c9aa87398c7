package enginetest

import (
	"fmt"
	"math"

	"github.com/snapbench/snapbench/runners/engine"
)

// epsilon is the distance from 1 to the next number of the type.
func epsilon(t engine.Type) float64 {
	switch t {
	case engine.BFloat16:
		return 0x1p-7
	case engine.Float16:
		return 0x1p-10
	}
	return 0x1p-23
}

// Compare returns an error that names the first of got's numbers which is not
// within tolerance of want, or nil. Row by row of width numbers the tolerance is
//
//	4 · ε(float32) · √k · s   +   ε(stored) · s   (the second for half types only)
//
// where k is the length of the sums behind a number and s the largest |want| of
// the row. The first term is what sums in float32 lose. The second is twice the largest
// error of rounding to a half type, which is half a unit: a result may be off by at most
// twice what rounding the exact value would cost.
// Equal infinities agree, and NaN agrees with NaN only. A float16 may also be off by half of
// the smallest float16, and must be infinite where want is beyond its range.
func Compare(got, want []float32, width, k int, stored engine.Type) error {
	return compareChain(got, want, width, k, stored, 1)
}

// compareChain is Compare for the last of several operations, each of which rounded
// its result to the stored type.
func compareChain(got, want []float32, width, k int, stored engine.Type, roundings int) error {
	if len(got) != len(want) || width <= 0 || len(want)%width != 0 {
		return fmt.Errorf("%d numbers, want %d in rows of %d", len(got), len(want), width)
	}
	relative := 4 * epsilon(engine.Float32) * math.Sqrt(float64(max(k, 1)))
	if stored == engine.BFloat16 || stored == engine.Float16 {
		relative += epsilon(stored) * float64(roundings)
	}
	for lo := 0; lo < len(want); lo += width {
		scale := 0.0
		for _, w := range want[lo : lo+width] {
			if a := math.Abs(float64(w)); a > scale && !math.IsInf(a, 0) {
				scale = a
			}
		}
		tolerance := relative * scale
		if stored == engine.Float16 {
			tolerance += 0x1p-25
		}
		for i, w := range want[lo : lo+width] {
			g := got[lo+i]
			if stored == engine.Float16 && math.Abs(float64(w)) >= 65520 {
				w = float32(math.Copysign(math.Inf(1), float64(w)))
			}
			if g == w || g != g && w != w {
				continue
			}
			// NaN and infinity fail here: their difference is not ≤ anything.
			if diff := math.Abs(float64(g) - float64(w)); !(diff <= tolerance) {
				return fmt.Errorf("row %d, column %d: %v, want %v: off by %.3g, tolerance %.3g", lo/width, i, g, w, diff, tolerance)
			}
		}
	}
	return nil
}

// same returns an error that names the first number whose bits differ.
func same(got, want []float32) error {
	if len(got) != len(want) {
		return fmt.Errorf("%d numbers, want %d", len(got), len(want))
	}
	for i, w := range want {
		if math.Float32bits(got[i]) != math.Float32bits(w) {
			return fmt.Errorf("number %d is %v (%#x), want %v (%#x)", i, got[i], math.Float32bits(got[i]), w, math.Float32bits(w))
		}
	}
	return nil
}
