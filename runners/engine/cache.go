package engine

import "fmt"

// Heads is how attention is divided.
type Heads struct {
	Query int // query heads
	KV    int // key/value heads; divides Query
	Size  int // numbers in a head
}

// Group returns the query heads that share one KV head.
func (h Heads) Group() int { return h.Query / h.KV }

// KV holds the keys and values of one layer for a whole prompt, both
// (kvHeads, n, d) in the device's type. Prefill has one and reuses it layer
// after layer.
type KV struct {
	K, V   Array
	Tokens int // n
	Heads  int // kvHeads
	Size   int // d
}

// Kept is what a policy chose in one layer: for each cache head the positions
// that survive, ascending, one head after the other in Positions (Int32).
// The heads of a cache are the model's KV heads, or its query heads where each
// query head keeps a copy of its own.
type Kept struct {
	Positions Array
	Len       []int // positions kept by each cache head
	All       bool  // everything is kept: Positions is empty, Len[h] = n
}

// Cache holds what one sequence keeps in one layer: a State where that has linear attention, else keys and values.
// Head h has the rows Start[h] … Start[h]+Len[h] of K and V, (rows, d), and
// room for Room more behind them.
type Cache struct {
	K, V      Array
	Positions Array // Int32 (rows): the prompt position of each row; empty where everything was kept
	Start     []int
	Len       []int
	Room      int
	Size      int     // d
	Packed    *Packed // how K and V hold codes; nil for the device's own type
	State     State   // with it, everything above but Room is empty
}

// Bytes returns what the cache occupies, the room for new tokens included.
func (c Cache) Bytes() int64 {
	return c.K.Bytes() + c.V.Bytes() + c.Positions.Bytes() + c.State.Bytes()
}

// Sequence is what decoding starts from: one cache per layer, and the position
// of the next token, which is the prompt's length whatever the caches hold.
type Sequence struct {
	Caches   []Cache
	Position int
}

// Batch is a set of sequences that decode together, one row each. It is made
// by [Device.NewBatch] and knows every sequence's caches, lengths and position.
type Batch interface {
	Rows() int
	// Steps returns how often Advance was called.
	Steps() int
}

// Rotation says how queries and keys are turned by their positions (RoPE, arXiv
// 2104.09864). Of a head's d numbers the first r = 2·len(Frequencies) ≤ d are pairs: pair i
// is (i, i+r/2), and its angle is position × Frequencies[i], a product of float32 numbers
// rounded to float32, as transformers computes it. Cosine and sine are multiplied by Scale.
// The other numbers of a head stay as they are.
type Rotation struct {
	Frequencies []float32
	Scale       float32
	Later       []float32 // unless nil, the frequencies of positions from From on
	From        int
}

// Check returns an error for a rotation that no device can prepare for n positions.
func (r Rotation) Check(n int) error {
	switch {
	case len(r.Frequencies) == 0 || r.Later != nil && len(r.Later) != len(r.Frequencies):
		return fmt.Errorf("a rotation with %d frequencies and %d later ones", len(r.Frequencies), len(r.Later))
	case r.From < 0 || n < 0:
		return fmt.Errorf("a rotation of %d positions whose later frequencies begin at %d", n, r.From)
	}
	return nil
}

// Rotary is a device's copy of a [Rotation]. It serves heads of r and more numbers.
type Rotary interface {
	Positions() int // it serves positions below this
}

// QKNorm are the RMS norms that some families (Qwen3) put on every head of q
// and k before the rotation. Empty arrays: none.
type QKNorm struct {
	Query, Key Array // (d) Float32
	Epsilon    float32
}

// Selection asks for the highest scores of each row.
type Selection struct {
	Scores Array // (rows, m) Float32
	Rows   int
	Count  int   // how many of each row's m scores; at most m
	Counts []int // where not nil, how many of each row's, Count being without meaning
	Head   int   // positions 0 … Head-1 come before all others whatever their scores; at most m
	Tail   int   // positions m … m+Tail-1 are kept besides
	Dst    Array // Int32, for each row its count and Tail, ascending; the rows one after the other
}

// CountOf returns how many of a row's scores are asked for.
func (s Selection) CountOf(row int) int {
	if s.Counts != nil {
		return s.Counts[row]
	}
	return s.Count
}

// Len returns how many positions are asked for in all, the tails included.
func (s Selection) Len() int {
	n := s.Rows * s.Tail
	for r := range s.Rows {
		n += s.CountOf(r)
	}
	return n
}

// Grouping reduces the scores of the query heads that share a KV head.
type Grouping uint8

// How a group's scores become one.
const (
	GroupMean Grouping = iota
	GroupMax
	GroupAll // the mean over all query heads, the same for every KV head
)

// Combination is how two rows of scores become one.
type Combination uint8

// The combinations, number by number.
const (
	ScoresTimes Combination = iota // a · b
	ScoresOver                     // a / b
	ScoresPlus                     // a + b
)

// Pooling smooths scores along the positions.
type Pooling uint8

// Pooling kinds. Average pooling divides by the kernel at the edges too (zero
// padding is counted), max pooling pads with −∞: torch's avg_pool1d and
// max_pool1d with stride 1 and padding kernel/2.
const (
	AveragePooling Pooling = iota
	MaxPooling
)
