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
	// Norms returns ‖x‖₂ of each position's key or value: (KV heads, n).
	Norms(of State) Scores
	// Sum returns Σ weights[g][j]·x[g][j] over the positions: (KV heads, d). The
	// weights are (KV heads, n).
	Sum(of State, weights Scores) Scores
	// Cosines returns each position's cosine with its head's vector: (KV heads, n), 0
	// where one of them has no length. The vectors are (KV heads, d).
	Cosines(of State, vectors Scores) Scores
	// OutputNorms returns Σ |v·Wₒ|, the L1 norm of what each position's value adds to
	// the layer's output: (query heads, n).
	OutputNorms() Scores
	// ByPosition returns one row of n numbers that follow from the position alone, in
	// every layer of a prompt the same. The question names them, with every parameter
	// that f depends on.
	ByPosition(question string, f func(position int) float32) Scores
	// Combine returns factor · (a ∘ b), number by number; b may be one row for all rows
	// of a. Where a has no rows it is all ones, where b has none the result is factor · a.
	Combine(a, b Scores, how engine.Combination, factor float32) Scores
	// Scale multiplies each row by a factor of its own.
	Scale(s Scores, factors []float32) Scores
	// First returns the first m scores of each row.
	First(s Scores, m int) Scores
	// Group reduces the rows of a group's query heads to one per KV head.
	Group(s Scores, how engine.Grouping) Scores
	// Average reduces all rows to one, their mean.
	Average(s Scores) Scores
	// Pool smooths each row.
	Pool(s Scores, kernel int, kind engine.Pooling) Scores
	// ChunkMeans replaces each score by the mean of its chunk of size positions.
	ChunkMeans(s Scores, size int) Scores
	// Frame puts a value in place of each row's first head scores, and tail times
	// behind the row.
	Frame(s Scores, head, tail int, value float32) Scores

	// Top keeps, in each row of m scores, the first sinks positions, the highest
	// count of the others (ties to the earliest position) and the tail positions
	// behind the scores. A row is a cache head; a single one is that of every KV head.
	Top(s Scores, sinks, count, tail int) Kept
	// TopEach is Top with a count for each cache head.
	TopEach(s Scores, sinks int, counts []int, tail int) Kept

	// Share returns how many of count positions each row has, of which least are its
	// own highest and the others the highest of all rows together (ties to the first
	// row), the first sinks positions left aside.
	Share(s Scores, sinks, count, least int) []int
	// Totals returns the sum of each row, of the KV heads' (KV heads, n).
	Totals(s Scores) []float32
	// Highest returns the highest score of all rows from a position on.
	Highest(s Scores, from int) float32
	// Among says whether a position is among the count highest of a single row (ties to
	// the earliest).
	Among(s Scores, count, position int) bool
	// Part reads the mean of all rows for the positions lo … hi-1: for few of them. All
	// of them would be a copy ([Ops.Read]).
	Part(s Scores, lo, hi int) []float32

	// Everything keeps all n positions of every KV head.
	Everything() Kept
	// Positions keeps what the policy names, ascending, by cache head.
	Positions(heads [][]int32) Kept
	// Fixed keeps the same positions, ascending, in every KV head and in every layer of a
	// prompt. The question names them, with every parameter that f depends on.
	Fixed(question string, f func() []int32) Kept

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
	// Sinks copies the layer's sinks (see [engine.Attention]) by query head: -∞ where it has none.
	Sinks() []float64
	// Queries copies the last w rotated queries: by query head, (w, d).
	Queries(w int) [][]float32
}

// State is what a layer holds of each position.
type State uint8

// The states: rotated keys, and values, (KV heads, n, d) both.
const (
	KeyState State = iota
	ValueState
)

func (s State) String() string {
	if s == ValueState {
		return "values"
	}
	return "keys"
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
