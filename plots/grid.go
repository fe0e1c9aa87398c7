package plots

// Grid is one panel of [Grids]. Values are percent, by row, top row first; NaN is blank.
type Grid struct {
	Title  string
	Xs, Ys []string
	Values [][]float64
}

// Grids draws heat maps of percentages side by side, on one scale from 0 to 100.
func Grids(name, title, subtitle, xlabel, ylabel, bar string, grids []Grid) Figure {
	h := heat{title: title, subtitle: subtitle, xlabel: xlabel, ylabel: ylabel, bar: bar, hi: 100, columns: len(grids)}
	for _, g := range grids {
		h.panels = append(h.panels, panel{title: g.Title, xs: g.Xs, ys: g.Ys, values: g.Values})
	}
	return h.figure(fileName(name))
}
