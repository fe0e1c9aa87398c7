package scores

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/snapbench/snapbench/metrics/predictions"
	"github.com/snapbench/snapbench/results"
)

// ReportJSON writes a graded folder as one value.
func ReportJSON(w io.Writer, r predictions.Report) error {
	type file struct {
		Model         string      `json:"model,omitempty"`
		Task          string      `json:"task"`
		Protocol      string      `json:"protocol,omitempty"`
		File          string      `json:"file"`
		Metric        string      `json:"metric"`
		MetricVersion int         `json:"metric_version"`
		Rows          int         `json:"rows"`
		Score         float64     `json:"score"` // unrounded
		Interval      *[2]float64 `json:"interval"`
		Raised        int         `json:"raised"`
	}
	out := struct {
		Files  []file              `json:"files"`
		Tables []predictions.Table `json:"tables"`
	}{Tables: r.Tables}
	for _, g := range r.Files {
		out.Files = append(out.Files, file{
			g.Model, g.Task, g.Protocol, g.File, g.Metric, g.MetricVersion, len(g.Rows), g.Points(), points(results.MeanInterval(g.Scores())), g.Raised,
		})
	}
	return json.NewEncoder(w).Encode(out)
}

// PrintReport writes the tables of a graded folder, as the benchmark's authors have them, and how many rows they are made of.
func PrintReport(w io.Writer, r predictions.Report) error {
	for _, t := range r.Tables {
		printTable(w, t)
	}
	rows, raised := 0, 0
	for _, g := range r.Files {
		rows += len(g.Rows)
		raised += g.Raised
	}
	_, err := fmt.Fprintf(w, "%d rows in %d files\n", rows, len(r.Files))
	if raised > 0 {
		_, err = fmt.Fprintf(w, "%d rows score 0 where the original's program stops\n", raised)
	}
	return err
}

// printTable writes a table and an empty line.
func printTable(w io.Writer, t predictions.Table) {
	name := 0
	for _, row := range t.Rows {
		name = max(name, len(row.Name))
	}
	fmt.Fprintf(w, "%s\n%-*s", t.Title, name, "")
	for _, c := range t.Columns {
		fmt.Fprintf(w, "  %*s", max(6, len(c)), c)
	}
	fmt.Fprintln(w)
	for _, row := range t.Rows {
		fmt.Fprintf(w, "%-*s", name, row.Name)
		for i, p := range row.Points {
			cell := "–"
			if p != nil {
				cell = fmt.Sprintf("%.2f", *p)
			}
			fmt.Fprintf(w, "  %*s", max(6, len(t.Columns[i])), cell)
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w)
}

// Grade grades the source's folder by a format, writes its rows to out unless that is empty, and prints the report.
func (s Source) Grade(w io.Writer, f predictions.Format, out, command, version string, asJSON bool) error {
	r, err := f.Grade(s.Dir)
	if err != nil {
		return err
	}
	if out != "" {
		if err := s.SaveReport(out, command, version, r); err != nil {
			return err
		}
	}
	if asJSON {
		return ReportJSON(w, r)
	}
	return PrintReport(w, r)
}

// SaveReport writes a graded folder as a run into another, as Save does with LongBench's.
func (s Source) SaveReport(dir, command, version string, r predictions.Report) error {
	var files, tasks []string
	for _, g := range r.Files {
		if files = append(files, g.File); !slices.Contains(tasks, g.Task) {
			tasks = append(tasks, g.Task)
		}
	}
	return s.save(dir, command, version, files, tasks, nil, func(digest string) (rows []results.Row) {
		for _, g := range r.Files {
			for k := range g.Rows {
				p := &g.Rows[k]
				row := s.rowOf(g.Task, p.Sample, p.Prediction)
				row.Protocol, row.Model = cmp.Or(g.Protocol, row.Protocol), cmp.Or(g.Model, row.Model)
				row.Metric, row.MetricVersion, row.Score = g.Metric, g.MetricVersion, &p.Score
				row.SetAnswers(p.Answers)
				row.ID = row.Key("predictions=" + digest)
				rows = append(rows, row)
			}
		}
		return rows
	})
}
