package plots

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// frontOf is the step line through those points of a panel that no other point beats in both x and y.
func (ch chart) frontOf(p chartPanel, px, py func(float64) vg.Length) []vg.Point {
	best := front(p.lines, ch.descending)
	var path []vg.Point
	for i, q := range best {
		if i > 0 {
			path = append(path, vg.Point{X: px(q.x) + q.shift, Y: path[len(path)-1].Y})
		}
		path = append(path, vg.Point{X: px(q.x) + q.shift, Y: py(q.y)})
	}
	return path
}

// front returns the points that no other beats, from the best x on. Smaller x is better, or larger where descending.
func front(lines []line, descending bool) []point {
	var all []point
	for _, l := range lines {
		for _, q := range l.points {
			if !math.IsNaN(q.x) && !math.IsNaN(q.y) {
				all = append(all, q)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b point) int {
		x := cmp.Compare(a.x, b.x)
		if descending {
			x = -x
		}
		return cmp.Or(x, cmp.Compare(b.y, a.y))
	})
	var best []point
	for _, q := range all {
		if len(best) == 0 || q.y > best[len(best)-1].y {
			best = append(best, q)
		}
	}
	return best
}

// spread shifts points whose places across cannot be told from each other, such as those of many variants at equal
// bytes, so that each is seen: by no more than 7 points of print to either side.
func spread(lines []line, px func(float64) vg.Length) []line {
	type place struct{ line, point int }
	var all []place
	moved := slices.Clone(lines)
	for i := range moved {
		moved[i].points = slices.Clone(moved[i].points)
		for k, q := range moved[i].points {
			if !math.IsNaN(q.x) && !math.IsNaN(q.y) {
				all = append(all, place{i, k})
			}
		}
	}
	at := func(a place) vg.Length { return px(moved[a.line].points[a.point].x) }
	slices.SortStableFunc(all, func(a, b place) int { return cmp.Compare(at(a), at(b)) })
	for from := 0; from < len(all); {
		to := from + 1
		for to < len(all) && at(all[to])-at(all[from]) < 1.5 {
			to++
		}
		together := all[from:to]
		slices.SortStableFunc(together, func(a, b place) int { return cmp.Compare(a.line, b.line) })
		n := vg.Length(len(together))
		for rank, a := range together {
			moved[a.line].points[a.point].shift = (vg.Length(rank) - (n-1)/2) * min(2.4, 14/n)
		}
		from = to
	}
	return moved
}

// drawNames writes points' names beside their marks, above right or, where another name is, on another side; a name
// that fits nowhere is left out.
func (ch chart) drawNames(c draw.Canvas, p chartPanel, r vg.Rectangle, px, py func(float64) vg.Length) {
	st := ch.look.style(sizeTick-1, false, grey)
	high := st.Height("0")
	var taken []vg.Rectangle
	for _, l := range p.lines {
		for _, q := range l.points {
			if !math.IsNaN(q.x) && !math.IsNaN(q.y) {
				taken = append(taken, box(px(q.x)+q.shift-3, py(q.y)-3, px(q.x)+q.shift+3, py(q.y)+3))
			}
		}
	}
	free := func(b vg.Rectangle) bool {
		inside := b.Min.X > r.Min.X && b.Max.X < r.Max.X+4 && b.Min.Y > r.Min.Y && b.Max.Y < r.Max.Y+high
		return inside && !slices.ContainsFunc(taken, func(t vg.Rectangle) bool {
			return b.Min.X < t.Max.X && t.Min.X < b.Max.X && b.Min.Y < t.Max.Y && t.Min.Y < b.Max.Y
		})
	}
	for _, l := range p.lines {
		for _, q := range l.points {
			if q.name == "" || math.IsNaN(q.x) || math.IsNaN(q.y) {
				continue
			}
			w := st.Width(q.name)
			for _, side := range [][2]vg.Length{{5, 3}, {5, -high - 3}, {-5 - w, 3}, {-5 - w, -high - 3}, {-w / 2, 6}, {-w / 2, -high - 6}} {
				x := px(q.x) + q.shift + side[0]
				b := box(x, py(q.y)+side[1], x+w, py(q.y)+side[1]+high)
				if free(b) {
					put(c, st, b.Min.X, b.Min.Y, -1, -1, q.name)
					taken = append(taken, b)
					break
				}
			}
		}
	}
}
