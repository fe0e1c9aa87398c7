// Package compress holds the policies that decide which keys and values of a
// prompt survive in the cache, one policy a file, written once over what every
// device can measure ([Ops]).
//
// A [Variant] is a policy with its parameters and its budget. All variants of a
// sample share one prefill: in each layer [Choose] asks every variant what it
// keeps, and whatever two of them both need (a window's scores, a pooled row)
// is computed once.
//
// A policy declares its parameters as data ([Definition]); flags, labels and
// columns are made from that. Most policies only score positions ([Scorer]) and
// leave the choosing to [ByScore]; others are built on such a policy, as
// "ada(snapkv)" is.
package compress

import (
	"math"

	"github.com/snapbench/snapbench/runners/engine"
)

// Layer is the place a policy decides in. Where a model's layers are of two kinds, those with full attention alone are counted:
// no policy is asked about the others (models.Config.PolicyLayers).
type Layer struct {
	Index  int // this layer, from 0
	Layers int // of how many
	Tokens int // n, the prompt's length
	Sample int // the prompt's number in its data set, from 0

	// How the model attends in this layer: before the prompt is read only the heads are known.
	engine.Attention
	Angles []float32 // position p turns the pair (i, i+len(Angles)) of a head by p·Angles[i]; numbers behind the pairs are not turned
	// AnglesFrom is the position from which tokens behind the prompt are turned by Angles, too.
	AnglesFrom int
}

// logit is what the model makes of the product of a query and a key before its softmax.
func (l Layer) logit(product float64) float64 {
	x := float64(l.Scale) * product
	if l.Cap > 0 {
		return float64(l.Cap) * math.Tanh(x/float64(l.Cap))
	}
	return x
}

// Capacity is what a budget gives each cache head of a layer.
type Capacity struct {
	Tokens int     // positions, everything included
	Exact  float64 // the same before it was rounded down: 62.5 for 31.25 % of 200 tokens
}

// hidden returns how many of the first of n positions the sliding window hides from the
// query at position n-1.
func (l Layer) hidden(n int) int {
	if l.Window == 0 {
		return 0
	}
	return max(0, n-l.Window)
}

// Needs says what prefill must hold ready for a layer's choice.
type Needs struct {
	Window  int  // what the last w queries look at
	Queries int  // copies of the last so many queries, rotated; [AllQueries] for every one
	Columns bool // the attention that all queries together pay to each position
	Output  bool // the weights that attention's output goes through
	Scores  int  // rows of a float32 for each position, at most, that a choice has on the device
}

// AllQueries asks for the queries of the whole prompt.
const AllQueries = 1 << 30

// Held is how many of a prompt's n queries prefill must hold.
func (n Needs) Held(tokens int) int { return min(max(n.Window, n.Queries), tokens) }

// join returns what serves both, one after the other.
func (a Needs) join(b Needs) Needs {
	return Needs{max(a.Window, b.Window), max(a.Queries, b.Queries), a.Columns || b.Columns, a.Output || b.Output, max(a.Scores, b.Scores)}
}

// Policy chooses what survives. It is a value without state: the same layer
// gives the same choice.
type Policy interface {
	// Needs says what a layer's choice needs.
	Needs(l Layer) Needs
	// Check reports parameters that cannot work with a capacity in a layer. Before
	// a prompt is known l.Tokens is 0, and the model's heads are unknown too.
	Check(l Layer, c Capacity) error
	// Expect says what a layer's cache must then hold, for the audit and for
	// planning memory.
	Expect(l Layer, c Capacity) Expectation
	// Keep chooses. It is not asked where the prompt is shorter than the capacity:
	// then everything is kept, whatever the policy.
	Keep(ops Ops, l Layer, c Capacity) (Kept, error)
}

// Auditor is a policy whose choice has more to hold than an [Expectation] says.
type Auditor interface {
	// Audit reports what is wrong with the positions that were kept, by cache head.
	Audit(l Layer, c Capacity, kept [][]int32) error
}

// Placer is a policy after which decoding does not go on at position n.
type Placer interface {
	// Place returns the position of the first new token.
	Place(l Layer, c Capacity) int
}

// Reader is a policy that frees nothing: it keeps everything, one copy per KV head, and
// in each layer of each decoding step names the positions that the step's queries read.
// Its capacity is how many these are.
type Reader interface {
	// Read returns for each query head the positions that its query reads, ascending, the
	// last always among them. There are the rotated queries of a token, (d) by query head,
	// and the rotated keys of all positions so far, (n, d) by KV head: those of the
	// prompt's l.Tokens, of the tokens behind it, and last that of the token itself.
	Read(l Layer, c Capacity, queries, keys [][]float32) [][]int32
}

// Expectation is what a layer's cache must hold.
type Expectation struct {
	Heads   int // cache heads
	PerHead int // positions in each head; 0 where heads differ
	Total   int // positions in all heads together
	Spread  int // how far from Total the sum may be, where the prompt decides
	Tail    int // the last positions of the prompt, present in every head
}

// Most is the largest sum of positions that the expectation allows.
func (e Expectation) Most() int { return e.Total + e.Spread }

// Kept is what a policy chose in a layer.
type Kept struct {
	engine.Kept
	// Edit, where not nil, changes the gathered keys: those of each cache head,
	// (kept, d) one position after the other, and their positions.
	Edit func(head int, keys []float32, positions []int32)
	// Host says that the choice was computed in plain Go over copies.
	Host bool
}
