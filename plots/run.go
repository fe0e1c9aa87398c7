package plots

import (
	"errors"

	"github.com/snapbench/snapbench/results"
)

// usual are the usual pictures of a run and their measures. A picture without rows is left out.
var usual = []struct {
	draw    func(results.Set, results.Measure) ([]Figure, error)
	measure string
}{
	{NeedleMap, "score"}, {TaskMap, "score"}, {BudgetMap, "score"}, {BudgetMap, "recalled"}, {Curves, "score"},
	{ByteCurves, "score"}, {TimeCurves, "score"}, {Curves, "kl_mean"}, {Curves, "top1_agreement"},
}

// Run draws the usual pictures of a run: length × depth for every variant of a needle
// test, tasks × variants, the score by budget, by parameters, by bytes and by a server's
// times, and fidelity if it was measured.
func Run(set results.Set) ([]Figure, error) {
	set = set.Visible() // an SVG with a control character is not valid XML
	measures := map[string]results.Measure{}
	for _, m := range results.Measures() {
		measures[m.Name] = m
	}
	var figures []Figure
	for _, u := range usual {
		more, err := u.draw(set, measures[u.measure])
		if err != nil && !errors.Is(err, ErrNothing) {
			return nil, err
		}
		figures = append(figures, more...)
	}
	return figures, nil
}

// WriteRun draws the usual pictures of a run into a folder and returns their paths.
func WriteRun(dir string, set results.Set) ([]string, error) {
	figures, err := Run(set)
	if err != nil {
		return nil, err
	}
	return Write(dir, figures)
}
