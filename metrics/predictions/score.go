package predictions

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/snapbench/snapbench/metrics"
)

// Options say how to grade.
type Options struct {
	// CodeSim is a name of [metrics.CodeSims], "" for the default.
	CodeSim string
	// Buckets asks for the scores by length, unless it is nil.
	Buckets Edges
}

// Edges are the borders between length buckets, ascending, in the unit of
// [Row.Length]. A row belongs to the first bucket whose upper edge is above its
// length, or to the last one.
type Edges []int

// The buckets in use. Their edges are multiples of 1000, not of 1024.
var (
	LongBenchE  = Edges{4000, 8000}
	FiveBuckets = Edges{4000, 8000, 16000, 32000}
)

// ParseEdges reads edges such as "4k,8k,16k,32k"; k is 1000 here.
func ParseEdges(s string) (Edges, error) {
	var edges Edges
	for field := range strings.SplitSeq(s, ",") {
		digits, thousands := strings.CutSuffix(strings.TrimSpace(field), "k")
		n, err := strconv.Atoi(digits)
		if err != nil || n <= 0 || n > math.MaxInt32 {
			return nil, fmt.Errorf("bucket edge %q in %q: expected a number such as 4k or 8000", field, s)
		}
		if thousands {
			n *= 1000
		}
		if len(edges) > 0 && n <= edges[len(edges)-1] {
			return nil, fmt.Errorf("bucket edges %q do not ascend at %q", s, field)
		}
		edges = append(edges, n)
	}
	return edges, nil
}

// Labels names the buckets as LongBench-E does: 0-4k, 4-8k, 8k+.
func (e Edges) Labels() []string {
	whole := true
	for _, edge := range e {
		whole = whole && edge%1000 == 0
	}
	name, unit := strconv.Itoa, ""
	if whole {
		name, unit = func(n int) string { return strconv.Itoa(n / 1000) }, "k"
	}
	labels := make([]string, 0, len(e)+1)
	last := 0
	for _, edge := range e {
		labels = append(labels, name(last)+"-"+name(edge)+unit)
		last = edge
	}
	return append(labels, name(last)+unit+"+")
}

// index is the bucket of a length.
func (e Edges) index(length int) int {
	for i, edge := range e {
		if length < edge {
			return i
		}
	}
	return len(e)
}

// Bucket is the score of the rows in one range of lengths.
type Bucket struct {
	Label string
	Rows  int
	// Score is 0 to 100 as printed, NaN if Rows is 0.
	Score float64
}

// MarshalJSON writes null for the score of an empty bucket.
func (b Bucket) MarshalJSON() ([]byte, error) {
	out := struct {
		Label string   `json:"label"`
		Rows  int      `json:"rows"`
		Score *float64 `json:"score"`
	}{Label: b.Label, Rows: b.Rows}
	if !math.IsNaN(b.Score) {
		out.Score = &b.Score
	}
	return json.Marshal(out)
}

// Result is a graded set.
type Result struct {
	Name          string // as [Set.Name]
	Metric        string
	MetricVersion int
	Scores        []float64 // of each row, 0 to 1
	// Others holds, for the code sets, the scores of each row by the other
	// definitions of similarity. The keys are metrics.
	Others map[string][]float64
	// Score is the mean, 0 to 100, rounded to 2 decimals as published.
	Score   float64
	Buckets []Bucket // nil unless [Options] asks for them
}

// ScoreDir reads the sets of a folder and grades each; graded[i] is of sets[i].
func ScoreDir(dir string, opt Options) (sets []Set, graded []Result, err error) {
	if sets, err = ReadDir(dir); err != nil {
		return nil, nil, err
	}
	for _, s := range sets {
		r, err := s.Score(opt)
		if err != nil {
			return nil, nil, err
		}
		graded = append(graded, r)
	}
	return sets, graded, nil
}

// Score grades a set. It fails if the metric cannot be computed for a row, or
// needs something that is missing on this machine.
func (s Set) Score(opt Options) (Result, error) {
	primary, others, err := s.Scorers(opt.CodeSim)
	if err != nil {
		return Result{}, err
	}
	if primary.Ready != nil {
		if err := primary.Ready(); err != nil {
			return Result{}, err
		}
	}
	result := Result{Name: s.Name, Metric: primary.Name, MetricVersion: primary.Version}
	if result.Scores, err = s.grade(primary); err != nil {
		return Result{}, err
	}
	for _, other := range others {
		if result.Others == nil {
			result.Others = map[string][]float64{}
		}
		if result.Others[other.Name], err = s.grade(other); err != nil {
			return Result{}, err
		}
	}
	result.Score = metrics.Points(result.Scores)
	if opt.Buckets != nil {
		if result.Buckets, err = s.buckets(opt.Buckets, result.Scores); err != nil {
			return Result{}, err
		}
	}
	return result, nil
}

// grade scores every row.
func (s Set) grade(scorer metrics.Scorer) ([]float64, error) {
	// The original uses the class names of the last row for all rows.
	var classes []string
	if len(s.Rows) > 0 {
		classes = s.Rows[len(s.Rows)-1].Classes
	}
	scores := make([]float64, len(s.Rows))
	for i, row := range s.Rows {
		var err error
		scores[i], err = scorer.Score(s.Text(row.Pred), metrics.Reference{Answers: row.Answers, Classes: classes})
		if err != nil {
			return nil, &RowError{s.File, row.Line, err.Error()}
		}
	}
	return scores, nil
}

// buckets groups the scores by length.
func (s Set) buckets(edges Edges, scores []float64) ([]Bucket, error) {
	lengths := make([]int, len(s.Rows))
	for i, row := range s.Rows {
		if row.Length < 0 {
			return nil, &RowError{s.File, row.Line, `no field "length", which the length buckets need`}
		}
		lengths[i] = row.Length
	}
	return edges.Group(lengths, scores), nil
}

// Group returns the buckets of rows with these lengths and scores (0 to 1). It
// panics if the two lists differ in length.
func (e Edges) Group(lengths []int, scores []float64) []Bucket {
	if len(lengths) != len(scores) {
		panic(fmt.Sprintf("predictions: %d lengths for %d scores", len(lengths), len(scores)))
	}
	groups := make([][]float64, len(e)+1)
	for i, length := range lengths {
		b := e.index(length)
		groups[b] = append(groups[b], scores[i])
	}
	buckets := make([]Bucket, len(groups))
	for i, label := range e.Labels() {
		buckets[i] = Bucket{label, len(groups[i]), bucketPoints(groups[i])}
	}
	return buckets
}

// bucketPoints is the mean of a bucket as LongBench-E's program prints it. That
// program averages and rounds with numpy. Numpy adds in another order than a loop,
// and to round it multiplies, rounds halves to even and divides again, where
// Python decides by the exact value: 28.645 may become either neighbour. The
// scores of whole sets use a loop and Python's rounding, see [metrics.Points].
func bucketPoints(scores []float64) float64 {
	if len(scores) == 0 {
		return math.NaN()
	}
	mean := pairwiseSum(scores) / float64(len(scores))
	return math.RoundToEven(100*mean*100) / 100
}

// pairwiseSum is numpy's sum of contiguous doubles: eight running sums for up to
// 128 numbers; a longer array is halved.
func pairwiseSum(x []float64) float64 {
	n := len(x)
	if n > 128 {
		half := n / 2
		half -= half % 8
		return pairwiseSum(x[:half]) + pairwiseSum(x[half:])
	}
	sum := 0.0
	if n >= 8 {
		r := [8]float64(x)
		for len(x) >= 16 {
			x = x[8:]
			for i := range r {
				r[i] += x[i]
			}
		}
		x = x[8:]
		sum = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]))
	}
	for _, v := range x {
		sum += v
	}
	return sum
}
