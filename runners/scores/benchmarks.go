package scores

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/snapbench/snapbench/metrics"
	"github.com/snapbench/snapbench/metrics/predictions"
	"github.com/snapbench/snapbench/results"
)

// benchmark says where the rows of a benchmark stand in its authors' tables.
type benchmark struct {
	prefix string // of its tasks' names
	// place returns the table, the line and the columns that a row counts in; no columns where its sample does not say them.
	place func(r results.Row) (title, line string, columns []string)
	order func(a, b string) int // of columns
	mean  string                // a line of the means of the lines before it, in columns that all of lines have
	lines []string
}

var benchmarks = []benchmark{
	{
		prefix: "longbench-v2",
		place: func(r results.Row) (title, line string, columns []string) {
			part := strings.SplitN(r.Sample, "/", 3) // difficulty, length, ID
			if len(part) == 3 {
				columns = []string{"overall", part[0], part[1]}
			}
			return "LongBench v2 by " + r.Protocol, r.Variant, columns
		},
		order: func(a, b string) int {
			return slices.Index(metrics.LongBenchV2Columns, a) - slices.Index(metrics.LongBenchV2Columns, b)
		},
	},
	{
		prefix: "babilong-",
		place: func(r results.Row) (title, line string, columns []string) {
			if length, _, ok := strings.Cut(r.Sample, "/"); ok {
				columns = []string{length}
			}
			return fmt.Sprintf("BABILong, %s, %s", r.Protocol, r.Variant), strings.TrimPrefix(r.Task, "babilong-"), columns
		},
		order: predictions.CompareLengths,
		mean:  "mean of qa1 to qa5", lines: []string{"qa1", "qa2", "qa3", "qa4", "qa5"},
	},
	{
		prefix: "scbench-",
		place: func(r results.Row) (title, line string, columns []string) {
			if _, turn, ok := strings.Cut(r.Sample, "/"); ok {
				columns = []string{"turn " + turn, "all turns"}
			}
			return r.Task + ", " + r.Protocol, r.Variant, columns
		},
		order: func(a, b string) int { // all turns last
			return cmp.Or(strings.Compare(b[:1], a[:1]), len(a)-len(b), strings.Compare(a, b))
		},
	},
}

// BenchmarkTables returns the tables that the authors of the rows' benchmarks print, of a variant a line or a table.
func BenchmarkTables(rows []results.Row) (tables []predictions.Table) {
	for _, b := range benchmarks {
		tables = append(tables, b.tables(rows)...)
	}
	return tables
}

// PrintBenchmarks writes those tables.
func PrintBenchmarks(w io.Writer, rows []results.Row) {
	for _, t := range BenchmarkTables(rows) {
		printTable(w, t)
	}
}

func (b benchmark) tables(rows []results.Row) []predictions.Table {
	type cell struct{ title, line, column string }
	var titles, columns []string
	lines := map[string][]string{}
	sum, count := map[cell]float64{}, map[cell]int{}
	for _, r := range rows {
		if !strings.HasPrefix(r.Task, b.prefix) || r.Score == nil {
			continue
		}
		title, line, in := b.place(r)
		if len(in) > 0 && !slices.Contains(titles, title) {
			titles = append(titles, title)
		}
		if len(in) > 0 && !slices.Contains(lines[title], line) {
			lines[title] = append(lines[title], line)
		}
		for _, column := range in {
			if !slices.Contains(columns, column) {
				columns = append(columns, column)
			}
			sum[cell{title, line, column}] += *r.Score
			count[cell{title, line, column}]++
		}
	}
	slices.SortFunc(columns, b.order)
	var tables []predictions.Table
	for _, title := range titles {
		t := predictions.Table{Title: title, Columns: columns}
		total, have := make([]float64, len(columns)), make([]int, len(columns))
		for _, line := range lines[title] {
			row := predictions.TableRow{Name: line, Points: make([]*float64, len(columns))}
			for i, column := range columns {
				n := count[cell{title, line, column}]
				if n == 0 {
					continue
				}
				points := 100 * sum[cell{title, line, column}] / float64(n)
				row.Points[i] = &points
				if slices.Contains(b.lines, line) {
					total[i] += points
					have[i]++
				}
			}
			t.Rows = append(t.Rows, row)
		}
		if b.mean != "" {
			row := predictions.TableRow{Name: b.mean, Points: make([]*float64, len(columns))}
			for i, n := range have {
				if n == len(b.lines) {
					points := total[i] / float64(n)
					row.Points[i] = &points
				}
			}
			t.Rows = append(t.Rows, row)
		}
		tables = append(tables, t)
	}
	return tables
}
