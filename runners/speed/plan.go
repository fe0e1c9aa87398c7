package speed

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/local"
	"github.com/snapbench/snapbench/runners/models"
)

// Plan is a grid of cells: every length with every batch and every variant.
type Plan struct {
	Lengths, Batches []int // 0 stands for the most that fits
	Variants         []compress.Variant
	// The rest is the same in all cells, and means what it means in [Cell].
	MaxNew, Warmup, Prompts int
	Part                    models.Part
	Limit                   int64
	Seed                    uint64 // of the random prompts
	Repeat                  int    // how often each cell is measured, 0 meaning once
	Block                   int    // tokens that a prefill takes at a time; 0: the device's own number
}

// LongestAsked says whether a length is to be searched for.
func (p Plan) LongestAsked() bool { return slices.Contains(p.Lengths, 0) }

// LargestAsked says whether a batch is to be searched for.
func (p Plan) LargestAsked() bool { return slices.Contains(p.Batches, 0) }

// Cells are planned one step and one sequence at a time: their numbers are bounded.
const (
	MostSteps     = 1 << 20
	MostSequences = 1 << 20
)

// Valid reports numbers that make no plan, by the names of their flags.
func (p Plan) Valid() error {
	switch {
	case p.MaxNew < 1 || p.Warmup < 0:
		return fmt.Errorf("--max-new %d, --warmup %d: want at least 1 and 0", p.MaxNew, p.Warmup)
	case p.MaxNew > MostSteps || p.Warmup > MostSteps:
		return fmt.Errorf("--max-new %d, --warmup %d: want at most %d", p.MaxNew, p.Warmup, MostSteps)
	case p.Prompts < 0 || p.Prompts == 1:
		return fmt.Errorf("--prefill %d: want 2 at least (one to copy, and one that is read beside the copies), or 0 for all", p.Prompts)
	case p.Part.Layers < 0:
		return fmt.Errorf("--layers %d: want 1 or more", p.Part.Layers)
	}
	return nil
}

// Check reports what a model cannot run, and a search for the most that fits where that
// is not known.
func (p Plan) Check(m *models.Model) error {
	if err := m.CheckPart(p.Part); err != nil {
		return fmt.Errorf("--layers %d: %w", p.Part.Layers, err)
	}
	for _, v := range p.Variants {
		if err := m.CheckFormat(v); err != nil {
			return err
		}
		if err := m.CheckVariant(v); err != nil {
			return err
		}
	}
	if !p.LongestAsked() && !p.LargestAsked() || p.Limit > 0 {
		return nil
	}
	// Every process on the machine lives in a CPU's memory: filling it would starve them.
	if name := m.Device().Name(); engine.OnHost(name) {
		return fmt.Errorf("max on %s: it has no memory of its own to fill; say with --memory how much to use, as 4g", name)
	}
	return nil
}

// cells lists the grid.
func (p Plan) cells() []Cell {
	var cells []Cell
	for _, n := range p.Lengths {
		for _, b := range p.Batches {
			for _, v := range p.Variants {
				cells = append(cells, Cell{Length: n, Batch: b, Variant: v, MaxNew: p.MaxNew, Warmup: p.Warmup, Prompts: p.Prompts, Part: p.Part, Limit: p.Limit})
			}
		}
	}
	return cells
}

// Watch is told how the measurement of a plan goes on.
type Watch interface {
	// Plan is told the work ahead, once.
	Plan(w *Work)
	// Within returns the function that is told where cell i is.
	Within(i int) func(Step)
	// Finished is told cell i's row. An error ends the measurement.
	Finished(i int, r Row) error
}

// Measure measures the roofs and then every cell, and adds both to the report. Where it
// returns an error, the report has the cells that were finished before.
func (p Plan) Measure(ctx context.Context, e *local.Engine, report *Report, watch Watch) (err error) {
	longest := slices.Max(p.Lengths)
	if p.LongestAsked() {
		longest = 16 << 10
	}
	if report.Roofs, err = MeasureRoofs(e.Model(), longest); err != nil {
		return err
	}
	report.Longest = p.longest(e.Model())
	cells := p.cells()
	// All cells in turn, then all again: so a slow spell of the machine meets each of them.
	rounds := max(1, p.Repeat)
	watch.Plan(NewWork(e.Model(), report.Roofs, slices.Repeat(cells, rounds)))
	runs := make([][]Row, len(cells))
	for i := range rounds * len(cells) {
		k := i % len(cells)
		c := cells[k]
		if len(runs[k]) > 0 {
			if !runs[k][0].Fits {
				continue
			}
			c = c.again(runs[k][0])
		}
		row, err := MeasureRow(ctx, e, report.Roofs, c, p.Seed+uint64(i/len(cells)), watch.Within(i))
		if err != nil {
			return err
		}
		row.LongestAsked, row.LargestAsked = cells[k].Length == 0, cells[k].Batch == 0
		if runs[k] = append(runs[k], row); len(runs[k]) == 1 {
			report.Rows = append(report.Rows, row)
		} else {
			report.Rows[k] = merged(runs[k])
		}
		if err := watch.Finished(i, row); err != nil {
			return err
		}
	}
	return nil
}

// longest plans the longest prompt of each variant for each batch that is a number. The
// list is empty where no limit of memory is known.
func (p Plan) longest(m *models.Model) []Longest {
	var list []Longest
	for _, b := range p.Batches {
		if b == 0 {
			continue
		}
		for _, v := range p.Variants {
			c, err := Cell{Batch: b, Variant: v, MaxNew: p.MaxNew, Warmup: p.Warmup, Limit: p.Limit}.Largest(m)
			if errors.Is(err, ErrNoLimit) {
				return nil
			}
			if err != nil {
				c.Length = 0 // not even the shortest fits
			}
			list = append(list, Longest{Batch: b, Variant: v.String(), Length: c.Length})
		}
	}
	return list
}
