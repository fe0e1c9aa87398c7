package scores

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/snapbench/snapbench/metrics/predictions"
	"github.com/snapbench/snapbench/results"
)

// JSON writes the graded sets and their averages as one value; graded[i] is of sets[i].
func JSON(w io.Writer, sets []predictions.Set, graded []predictions.Result) error {
	type set struct {
		Name          string               `json:"name"`
		Metric        string               `json:"metric"`
		MetricVersion int                  `json:"metric_version"`
		Rows          int                  `json:"rows"`
		Score         float64              `json:"score"`
		Interval      *[2]float64          `json:"interval"`
		Buckets       []predictions.Bucket `json:"buckets,omitempty"`
	}
	var out struct {
		Sets     []set     `json:"sets"`
		Averages []Average `json:"averages"`
	}
	for _, r := range graded {
		out.Sets = append(out.Sets, set{r.Name, r.Metric, r.MetricVersion, len(r.Scores), r.Score, Interval(r), r.Buckets})
	}
	out.Averages = Averages(sets, graded)
	return json.NewEncoder(w).Encode(out)
}

// Print writes a line for each set, then the averages of the categories and of the English
// and code sets, each with its 95 % interval over rows. Edges are those of the buckets that
// the sets were graded by, nil where there are none.
func Print(w io.Writer, sets []predictions.Set, graded []predictions.Result, edges predictions.Edges) error {
	line := func(name, metric string, rows int, score float64, interval *[2]float64) {
		between := ""
		if interval != nil {
			between = fmt.Sprintf("[%.1f, %.1f]", interval[0], interval[1])
		}
		fmt.Fprintf(w, "%-24s %-18s %6d %8.2f %14s", name, metric, rows, score, between)
	}
	fmt.Fprintf(w, "%-24s %-18s %6s %8s %14s", "set", "metric", "rows", "score", "95 % interval")
	if edges != nil {
		for _, label := range edges.Labels() {
			fmt.Fprintf(w, " %8s", label)
		}
	}
	fmt.Fprintln(w)
	for _, r := range graded {
		line(r.Name, r.Metric, len(r.Scores), r.Score, Interval(r))
		printBuckets(w, r.Buckets)
		fmt.Fprintln(w)
	}
	var err error
	for _, a := range Averages(sets, graded) {
		line(a.Name, "mean of sets", a.Sets, a.Score, a.Interval)
		_, err = fmt.Fprintln(w)
	}
	return err
}

// PrintLengths writes the scores of LongBench-E's sets by length, if there are any.
func PrintLengths(w io.Writer, rows []results.Row) {
	lines := ByLength(rows)
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(w, "LongBench-E by length\n%-24s", "task")
	for _, label := range predictions.LongBenchE.Labels() {
		fmt.Fprintf(w, " %8s", label)
	}
	fmt.Fprintln(w, "  variant")
	for _, l := range lines {
		fmt.Fprintf(w, "%-24s", l.Task)
		printBuckets(w, l.Buckets)
		fmt.Fprintln(w, "  "+l.Variant)
	}
}

// printBuckets writes the scores by length; a bucket without rows has none.
func printBuckets(w io.Writer, buckets []predictions.Bucket) {
	for _, b := range buckets {
		if b.Rows == 0 {
			fmt.Fprintf(w, " %8s", "–")
		} else {
			fmt.Fprintf(w, " %8.2f", b.Score)
		}
	}
}
