package main

import (
	"github.com/snapbench/snapbench/plots"
	"github.com/snapbench/snapbench/results"
)

// needlePictures draws length × depth for every variant, and accuracy against
// the budget by score and by share recalled.
func needlePictures(set results.Set, dir string) ([]string, error) {
	figures, err := plots.NeedleMap(set, measure("score"))
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"score", "recalled"} {
		if !budgeted(set, measure(name)) {
			continue
		}
		more, err := plots.BudgetMap(set, measure(name))
		if err != nil {
			return nil, err
		}
		figures = append(figures, more...)
	}
	return plots.Write(dir, figures)
}

// scorePictures draws accuracy against the budget.
func scorePictures(set results.Set, dir string) ([]string, error) {
	if !budgeted(set, measure("score")) {
		return nil, nil
	}
	figures, err := plots.BudgetMap(set, measure("score"))
	if err != nil {
		return nil, err
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

// budgeted reports whether a map against budgets has anything to show: the full
// cache alone has none.
func budgeted(set results.Set, m results.Measure) bool {
	for i := range set.Rows {
		if r := &set.Rows[i]; r.Policy != "full" && m.Of(r) != nil {
			return true
		}
	}
	return false
}
