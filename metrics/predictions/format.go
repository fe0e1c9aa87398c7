package predictions

import (
	"fmt"
	"slices"
	"strings"

	"github.com/snapbench/snapbench/inputs/lookup"
	"github.com/snapbench/snapbench/metrics"
)

// Format reads the files that a benchmark's own program writes for a model's predictions, and grades them as that
// program does. LongBench's, which is older than this, has [ReadDir] in its place.
type Format struct {
	Task  string // family of tasks, as --task names it
	About string // which files a folder has, for errors and help
	// Grade reads and grades a folder.
	Grade func(dir string) (Report, error)
}

// LongBenchTask is the name of LongBench v1 among the formats.
const LongBenchTask = "longbench"

var formats []Format

// RegisterFormat adds a format. It is called from init, and panics if its task has one.
func RegisterFormat(f Format) {
	if _, err := OpenFormat(f.Task); err == nil || f.Task == LongBenchTask || f.About == "" || f.Grade == nil {
		panic(fmt.Sprintf("predictions: RegisterFormat of %q, which is incomplete or there already", f.Task))
	}
	formats = append(formats, f)
}

// Formats lists what is registered, by task.
func Formats() []Format {
	list := slices.Clone(formats)
	slices.SortFunc(list, func(a, b Format) int { return strings.Compare(a.Task, b.Task) })
	return list
}

// OpenFormat returns the format of a task. The error lists what exists.
func OpenFormat(task string) (Format, error) {
	have := []string{LongBenchTask}
	for _, f := range Formats() {
		if f.Task == task {
			return f, nil
		}
		have = append(have, f.Task)
	}
	return Format{}, fmt.Errorf("no format of predictions for the task %q: %shave %s", task, lookup.Offer(task, have), strings.Join(have, ", "))
}

// FormatHelp says, a line each, which files the formats read.
func FormatHelp() string {
	var b strings.Builder
	for _, f := range Formats() {
		fmt.Fprintf(&b, "  %s: %s\n", f.Task, f.About)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// Report is a folder of predictions, graded.
type Report struct {
	Files  []Graded
	Tables []Table
}

// Graded is a file of predictions, graded.
type Graded struct {
	Task          string // "babilong-qa1"
	Model         string // that predicted, where a folder holds the files of several
	Protocol      string // how the prompts were made, where the file's name says so
	File          string
	Metric        string
	MetricVersion int
	Rows          []GradedRow // at least one
	// Raised counts the rows at which the original raises an exception. They score 0.
	Raised int
}

// GradedRow is a prediction with its score.
type GradedRow struct {
	Sample     string // its number or ID, after the length where the benchmark has several
	Prediction string
	Answers    []string
	Score      float64 // 0 to 1
}

// Scores are those of all rows.
func (g Graded) Scores() []float64 {
	scores := make([]float64, len(g.Rows))
	for i, r := range g.Rows {
		scores[i] = r.Score
	}
	return scores
}

// Points is the mean score, 0 to 100, unrounded.
func (g Graded) Points() float64 {
	sum := 0.0
	for _, r := range g.Rows {
		sum += r.Score
	}
	return 100 * sum / float64(len(g.Rows))
}

// grade opens the metric and scores every row, of which the reference is what it is compared with.
func (g *Graded) grade(metric string, reference func(i int) (metrics.Reference, error)) error {
	scorer, err := metrics.Open(metric)
	if err != nil {
		return err
	}
	g.Metric, g.MetricVersion = scorer.Name, scorer.Version
	for i := range g.Rows {
		ref, err := reference(i)
		if err == nil {
			g.Rows[i].Score, err = scorer.Score(g.Rows[i].Prediction, ref)
		}
		if err != nil {
			return fmt.Errorf("%s: row %s: %w", g.File, g.Rows[i].Sample, err)
		}
		if scorer.Raises != nil && scorer.Raises(g.Rows[i].Prediction, ref) != "" {
			g.Raised++
		}
	}
	return nil
}

// Table is one of the tables that the benchmark's authors print.
type Table struct {
	Title   string     `json:"title"`
	Columns []string   `json:"columns"`
	Rows    []TableRow `json:"rows"`
}

// TableRow are the points of a line, 0 to 100; nil where there are none.
type TableRow struct {
	Name   string     `json:"name"`
	Points []*float64 `json:"points"`
}
