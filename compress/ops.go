package compress

import "github.com/snapbench/snapbench/runners/engine"

// Ops are what a policy can ask of one layer. Scores are on the device; a result is
// shared by all who ask for the same one, must not be changed, and lives until the
// layer is done. Failures are kept and reported by [Choose].
//
// What no operation of the device measures, a policy computes in plain Go over
// copies ([Ops.Compute] and the copies below it): right on every device, and its
// variants' rows say that they were chosen on the host.
type Ops interface {
	// WindowScores returns Σ over the last w queries of their attention: (query
	// heads, n-w), what each query head's window looks at.
	WindowScores(w int) Scores
	// Columns returns Σ over all queries of their attention: (query heads, n).
	Columns() Scores
	// First returns the first m scores of each row.
	First(s Scores, m int) Scores
	// Group reduces the rows of a group's query heads to one per KV head.
	Group(s Scores, how engine.Grouping) Scores
	// Pool smooths each row.
	Pool(s Scores, kernel int, kind engine.Pooling) Scores

	// Top keeps, in each row of m scores, the first sinks positions, the highest
	// count of the others (ties to the earliest position) and the tail positions
	// behind the scores. A row is a cache head.
	Top(s Scores, sinks, count, tail int) Kept
	// TopEach is Top with a count for each row.
	TopEach(s Scores, sinks int, counts []int, tail int) Kept
	// Share returns how many of the count highest scores of all rows together each
	// row has (ties to the first row, then the earliest position), the first sinks
	// positions left aside.
	Share(s Scores, sinks, count int) []int
	// Everything keeps all n positions of every KV head.
	Everything() Kept
	// Positions keeps what the policy names, ascending, by cache head.
	Positions(heads [][]int32) Kept

	// Compute returns scores (rows, m) from plain Go. The question names them, with
	// every parameter that f depends on: who asks the same shares the answer. A score
	// that is no number is an error, which names the head.
	Compute(question string, f func() [][]float32) Scores
	// Read copies scores: by row.
	Read(s Scores) [][]float32
	// Keys copies the layer's rotated keys: by KV head, (n, d).
	Keys() [][]float32
	// Values copies the layer's values: by KV head, (n, d).
	Values() [][]float32
	// Queries copies the last w rotated queries: by query head, (w, d).
	Queries(w int) [][]float32
	// OutputNorms returns Σ |v·Wₒ|, the L1 norm of what each position's value adds
	// to the layer's output: by query head, (n).
	OutputNorms() [][]float32
}

// Scores are numbers for positions on the device, Float32 (rows, m): a row per
// query head or per KV head.
type Scores struct {
	Array engine.Array
	Rows  int

	question string // what was asked, so that it is asked once
	host     bool   // computed in plain Go
}

// Width returns m, the scores in a row.
func (s Scores) Width() int {
	if s.Rows == 0 {
		return 0
	}
	return s.Array.Len / s.Rows
}
