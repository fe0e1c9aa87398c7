package plots

import (
	"math"
	"slices"

	"gonum.org/v1/plot/vg"
)

// fit returns the ticks of an axis across, and whether their labels are turned, so that no two labels touch on a width.
// Labels of places are turned where they would; where even that is too close, and among round numbers, a label between
// two others gives way. Its tick stays.
func (a axis) fit(width vg.Length, of func(string) vg.Length, height vg.Length) (ticks []tickMark, turned bool) {
	at := func(t tickMark) vg.Length { return vg.Length(a.norm(t.at)) * width }
	order := slices.Clone(a.ticks)
	slices.SortStableFunc(order, func(x, y tickMark) int {
		switch {
		case at(x) < at(y):
			return -1
		case at(x) > at(y):
			return 1
		}
		return 0
	})
	touch := func(x, y tickMark, turned bool) bool {
		need := (of(x.label)+of(y.label))/2 + height/2
		if turned {
			need = 0.95 * height
		}
		return at(y)-at(x) < need
	}
	if a.places {
		for i := range order {
			turned = turned || i > 0 && touch(order[i-1], order[i], false)
		}
	}
	// The first and the last label say how far the axis goes, so those between them give way.
	last := len(order) - 1
	kept := -1
	for i := range order {
		switch {
		case kept < 0:
			kept = i
		case i == last && touch(order[kept], order[i], turned) && kept > 0:
			order[kept].label = ""
		case touch(order[kept], order[i], turned), i < last && touch(order[i], order[last], turned):
			order[i].label = ""
		default:
			kept = i
		}
	}
	return order, turned
}

// slope is the angle of turned labels, which end below their ticks.
const slope = 38 * math.Pi / 180

// overhang is how far labels reach beyond both ends of an axis of a width.
func (a axis) overhang(width vg.Length, turned bool, of func(string) vg.Length) (before, behind vg.Length) {
	for _, t := range a.ticks {
		if t.label == "" {
			continue
		}
		at, w := vg.Length(a.norm(t.at))*width, of(t.label)
		if turned {
			before = max(before, w*vg.Length(math.Cos(slope))-at)
			continue
		}
		before, behind = max(before, w/2-at), max(behind, at+w/2-width)
	}
	return before, behind
}
