package plots

import (
	"errors"
	"slices"

	"github.com/snapbench/snapbench/results"
)

// drawing draws a measure whose tables are known.
type drawing func(results.Set, results.Measure, []results.Table) ([]Figure, error)

// usual are the usual pictures of a run and their measures. A picture without rows is left out.
var usual = []struct {
	measure string
	draw    []drawing
}{
	{"score", []drawing{needleMaps, taskMaps, lengthCurves, budgetMaps, curves, byteCurves, timeCurves, gaps}},
	{"recalled", []drawing{budgetMaps}},
	{"kl_mean", []drawing{curves}},
	{"top1_agreement", []drawing{curves}},
}

// Run draws the usual pictures of a run: length × depth for every variant of a needle
// test, tasks × variants, the score by length, by budget, by parameters, by bytes and by a server's
// times, the difference between protocols that ask by the same prompts, fidelity if it was
// measured, and the frontier. What was measured alone adds its
// pictures, and the score against its speed.
func Run(set results.Set, speeds ...Speed) ([]Figure, error) {
	set = set.Visible() // an SVG with a control character is not valid XML
	var figures []Figure
	add := func(more []Figure, err error) error {
		if err != nil && !errors.Is(err, ErrNothing) {
			return err
		}
		figures = append(figures, more...)
		return nil
	}
	for _, u := range usual {
		at := slices.IndexFunc(results.Measures(), func(m results.Measure) bool { return m.Name == u.measure })
		m := results.Measures()[at]
		tables := results.Means(set, m)
		for _, draw := range u.draw {
			if err := add(draw(set, m, tables)); err != nil {
				return nil, err
			}
		}
		if m.Name == "score" {
			if err := add(frontiers(set, m, tables, pacesOf(speeds))); err != nil {
				return nil, err
			}
		}
	}
	for _, s := range speeds {
		figures = append(figures, s.Figures...)
	}
	return figures, nil
}

// pacesOf gathers the paces of all that was measured alone.
func pacesOf(speeds []Speed) (paces []Pace) {
	for _, s := range speeds {
		paces = append(paces, s.Paces...)
	}
	return paces
}

// WriteRun draws the usual pictures of a run into a folder and returns their paths.
func WriteRun(dir string, set results.Set) ([]string, error) {
	figures, err := Run(set)
	if err != nil {
		return nil, err
	}
	return Write(dir, figures)
}
