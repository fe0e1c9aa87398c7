package main

import (
	"errors"

	"github.com/snapbench/snapbench/plots"
	"github.com/snapbench/snapbench/results"
)

// painter draws figures of one kind from a column.
type painter struct {
	draw    func(results.Set, results.Measure) ([]plots.Figure, error)
	measure string
}

// painters draw what rows have something for: length × depth for every variant of a
// needle test, tasks × variants, accuracy against the budget, fidelity where it was
// measured.
var painters = []painter{
	{plots.NeedleMap, "score"}, {plots.TaskMap, "score"}, {plots.BudgetMap, "score"}, {plots.BudgetMap, "recalled"}, {plots.Curves, "score"},
	{plots.ByteCurves, "score"}, {plots.TimeCurves, "score"}, {plots.Curves, "kl_mean"}, {plots.Curves, "top1_agreement"},
}

// pictures draws a run into its folder.
func pictures(set results.Set, dir string) ([]string, error) {
	set = set.Visible() // an SVG with a control character is no XML
	var figures []plots.Figure
	for _, p := range painters {
		more, err := p.draw(set, measure(p.measure))
		if err != nil && !errors.Is(err, plots.ErrNothing) {
			return nil, err
		}
		figures = append(figures, more...)
	}
	return plots.Write(dir, figures)
}

// measure returns one of the columns that tables and pictures are made of.
func measure(name string) results.Measure {
	for _, m := range results.Measures() {
		if m.Name == name {
			return m
		}
	}
	panic("snapbench: no measure " + name)
}
