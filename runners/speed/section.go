package speed

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/snapbench/snapbench/plots"
	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/runners/engine"
)

// Split takes the folders that hold a speed.json out of a list of paths and reads them for a report. A folder may hold
// a run as well, and stays in the list then.
func Split(paths []string) (runs []string, speeds []plots.Speed, err error) {
	for _, path := range paths {
		if _, err := os.Stat(filepath.Join(path, reportFile)); err != nil {
			runs = append(runs, path)
			continue
		}
		s, err := Read(path)
		if err != nil {
			return nil, nil, err
		}
		speeds = append(speeds, s.section(path))
		if _, err := os.Stat(filepath.Join(path, "run.json")); err == nil {
			runs = append(runs, path)
		} else if !os.IsNotExist(err) {
			return nil, nil, &fs.PathError{Op: "stat", Path: path, Err: err}
		}
	}
	return runs, speeds, nil
}

// section is the report as plots' HTML page takes it.
func (s *Report) section(path string) plots.Speed {
	s.show()
	about := s.subject()
	out := plots.Speed{Title: "Speed of " + strings.Join(s.models(), ", "), About: about, Grids: []results.Grid{s.grid()}, Figures: s.figures()}
	out.Run = plots.ReportRun{Title: out.Title, Path: results.VisibleLines(path), Command: s.Command, Version: s.Version, Started: plots.StartTime(s.Started), Machine: s.About, Rows: len(s.Rows)}
	if !strings.Contains(s.About, s.CPU) {
		out.Run.Machine = s.CPU + ", " + s.About
	}
	for _, r := range s.Rows {
		// What is spared of a prefill changes no step; a size that was searched for is another one for every variant.
		if r.Fits && !r.LongestAsked && !r.LargestAsked {
			out.Paces = append(out.Paces, plots.Pace{Model: r.Model, Variant: r.Variant, Length: r.Length, Batch: r.Batch, TokensPerSecond: r.TokensPerSecond, PeakBytes: r.PeakBytes, Unsteady: r.unsteady()})
		}
	}
	return out
}

// show escapes, in all texts, what would control a page or a picture.
func (s *Report) show() {
	for _, text := range []*string{&s.Command, &s.Version, &s.CPU, &s.About} {
		*text = results.VisibleLines(*text)
	}
	for i := range s.Rows {
		r := &s.Rows[i]
		for _, text := range []*string{&r.Model, &r.Rope, &r.Device, &r.DType, &r.Variant} {
			*text = results.VisibleLines(*text)
		}
		for k := range r.Notes {
			r.Notes[k] = results.VisibleLines(r.Notes[k])
		}
	}
	for i := range s.Longest {
		s.Longest[i].Variant = results.VisibleLines(s.Longest[i].Variant)
	}
}

// models lists the models, in their order.
func (s *Report) models() []string {
	var list []string
	for _, r := range s.Rows {
		if !slices.Contains(list, r.model()) {
			list = append(list, r.model())
		}
	}
	return list
}

// grid is the rows as a table for a page.
func (s *Report) grid() results.Grid {
	g := results.Grid{Head: []string{"variant", "batch", "prompt", "tokens/s", "× full", "step, median", "p10 to p90", "prefill", "peak memory", "cache"}}
	labels := s.labels()
	for _, r := range s.Rows {
		length, batch := r.size()
		row := []string{labels[r.Variant], batch, length}
		if r.Fits {
			ratio := "n/a"
			switch full := s.Full(r); {
			case full == nil || r.LongestAsked: // two lengths' speeds are of two questions
			case r.unsteady() || full.unsteady():
				ratio = "–"
			default:
				ratio = fmt.Sprintf("%.2f", r.TokensPerSecond/full.TokensPerSecond)
			}
			row = append(row, fmt.Sprintf("%.1f", r.TokensPerSecond), ratio, results.Seconds(r.StepSeconds),
				fmt.Sprintf("%s to %s", results.Seconds(r.StepP10), results.Seconds(r.StepP90)), results.Seconds(r.PrefillSeconds),
				results.Bytes(float64(r.PeakBytes)), results.Bytes(float64(r.CacheBytes)))
		} else {
			row = append(row, "does not fit", "", "", "", "", "needs "+engine.Bytes(r.Need), "")
		}
		g.Rows, g.Strong = append(g.Rows, row), append(g.Strong, false)
		for _, text := range r.remarks() {
			if !slices.Contains(g.Notes, text) {
				g.Notes = append(g.Notes, text)
			}
		}
	}
	return g
}
