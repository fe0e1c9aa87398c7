package plots

import (
	"math"
	"strings"

	"github.com/snapbench/snapbench/results"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// setScale sets the scale and the decimals of cells from the values. Points have the scale 0 to 100, or with zoom the
// round numbers around the values; other measures go from 0 to the largest value.
func (h *heat) setScale(points, zoom bool) {
	h.lo, h.hi = math.Inf(1), math.Inf(-1)
	whole := true
	see := func(v float64) {
		if math.IsNaN(v) {
			return
		}
		h.lo, h.hi = min(h.lo, v), max(h.hi, v)
		whole = whole && math.Abs(v-math.Round(v)) < 1e-9
	}
	for _, p := range h.panels {
		for _, row := range p.values {
			for _, v := range row {
				see(v)
			}
		}
		if p.side != "" {
			see(p.sideValue)
		}
	}
	if !whole {
		h.digits = 1
	}
	if points {
		lo, hi := h.lo, h.hi
		h.lo, h.hi = 0, 100
		if zoom && hi-lo < 50 {
			step := 5.0
			if hi-lo > 20 {
				step = 10
			}
			h.lo, h.hi = max(0, step*math.Floor(lo/step)), min(100, step*math.Ceil(hi/step))
			if h.hi-h.lo < step {
				h.lo = max(0, h.hi-step)
				h.hi = h.lo + step
			}
		}
		return
	}
	if h.hi <= 0 || math.IsInf(h.hi, 0) {
		h.hi = max(h.hi, 0)
		if math.IsInf(h.hi, 0) {
			h.hi = 1
		}
	}
	h.lo = min(h.lo, 0)
	if h.hi == h.lo {
		h.hi = h.lo + 1
	}
	h.digits = max(0, 2-int(math.Floor(math.Log10(h.hi))))
	if h.digits > 4 {
		h.digits = 4
	}
}

// drawBar draws the colour scale with its top at y.
func (h heat) drawBar(c draw.Canvas, x, y, height vg.Length) {
	tick, label := h.look.style(sizeTick, false, ink), h.look.style(sizeLabel, false, ink)
	colours := h.look.palette().ramp
	for i := range rampSteps {
		// Each step goes up to the top, and the next covers it: nothing behind the bar shows between two steps.
		fill(c, box(x, y-height+height*vg.Length(i)/rampSteps, x+barWidth, y), colours[i])
	}
	width := vg.Length(0)
	for _, v := range niceTicks(h.lo, h.hi, 5) {
		ty := y - height
		if h.hi > h.lo {
			ty += height * vg.Length((v-h.lo)/(h.hi-h.lo))
		}
		stroke(c, 0.5, ink, vg.Point{X: x + barWidth, Y: ty}, vg.Point{X: x + barWidth + 2.5, Y: ty})
		s := plain(v)
		put(c, tick, x+barWidth+4, ty, -1, 0, s)
		width = max(width, tick.Width(s))
	}
	s := label
	s.Rotation = math.Pi / 2
	put(c, s, x+barWidth+4+width+6+label.Height("0"), y-height/2, 0, -1, h.bar)
}

// niceTicks gives round values within lo to hi, about n of them.
func niceTicks(lo, hi float64, n int) []float64 {
	if !(hi > lo) {
		return []float64{lo}
	}
	raw := (hi - lo) / float64(n)
	mag := math.Pow(10, math.Floor(math.Log10(raw)))
	step := 10 * mag
	for _, m := range []float64{1, 2, 2.5, 5} {
		if m*mag >= raw*0.999 {
			step = m * mag
			break
		}
	}
	var ticks []float64
	for i := math.Ceil(lo/step - 1e-9); i*step <= hi+1e-9*step; i++ {
		v := i * step
		if v == 0 {
			v = 0 // not -0
		}
		ticks = append(ticks, v)
	}
	return ticks
}

// scale is 100 for measures shown as points.
func scale(m results.Measure) float64 {
	if m.Points {
		return 100
	}
	return 1
}

func barTitle(m results.Measure) string {
	if m.Points {
		return strings.ToUpper(m.Title[:1]) + m.Title[1:] + " (0–100)"
	}
	return strings.ToUpper(m.Title[:1]) + m.Title[1:]
}
