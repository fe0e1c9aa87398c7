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

// needlePictures: length × depth for every variant, and accuracy against the
// budget by score and by share recalled.
var needlePictures = pictures(painter{plots.NeedleMap, "score"}, painter{plots.BudgetMap, "score"}, painter{plots.BudgetMap, "recalled"})

// scorePictures: accuracy against the budget.
var scorePictures = pictures(painter{plots.BudgetMap, "score"}, painter{plots.Curves, "score"})

// longBenchPictures: tasks × variants, accuracy against the budget for all
// tasks and for each.
var longBenchPictures = pictures(painter{plots.TaskMap, "score"}, painter{plots.BudgetMap, "score"}, painter{plots.Curves, "score"})

// pictures returns a function that draws what the rows have something for,
// fidelity included where it was measured.
func pictures(list ...painter) func(results.Set, string) ([]string, error) {
	list = append(list, painter{plots.Curves, "kl_mean"}, painter{plots.Curves, "top1_agreement"})
	return func(set results.Set, dir string) ([]string, error) {
		set = set.Visible() // an SVG with a control character is no XML
		var figures []plots.Figure
		for _, p := range list {
			more, err := p.draw(set, measure(p.measure))
			if err != nil && !errors.Is(err, plots.ErrNothing) {
				return nil, err
			}
			figures = append(figures, more...)
		}
		return plots.Write(dir, figures)
	}
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
