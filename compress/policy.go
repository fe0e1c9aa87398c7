// Package compress holds the policies that decide which keys and values of a
// prompt survive in the cache, one method a file, written once over a few array
// operations that every device provides ([Ops]).
//
// A [Variant] is a policy with its parameters and its budget. All variants of a
// sample share one prefill: in each layer [Choose] asks every variant what it
// keeps, and whatever two of them both need (a window's scores, a pooled row)
// is computed once.
package compress

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/snapbench/snapbench/runners/engine"
)

// Layer is the place a policy decides in.
type Layer struct {
	Index  int // this layer, from 0
	Layers int // of how many
	Tokens int // n, the prompt's length
	Heads  engine.Heads
}

// Needs says what prefill must hold ready.
type Needs struct {
	Window int // the last w queries, rotated
}

// Ops are the measurements and choices of one layer. Arrays are on the device;
// a result is shared by all who ask for the same one, must not be changed, and
// lives until the layer is done. Failures are kept and reported by [Choose].
type Ops interface {
	// WindowScores returns Σ over the last w queries of their attention: (heads, n-w),
	// what each query head's window looks at.
	WindowScores(w int) Scores
	// Group reduces the rows of a group's query heads to one per KV head.
	Group(s Scores, how engine.Grouping) Scores
	// Pool smooths each row.
	Pool(s Scores, kernel int, kind engine.Pooling) Scores
	// Top keeps, in each row of m scores, the count highest (ties to the earliest
	// position) and the tail positions behind the scores. A row is a cache head.
	Top(s Scores, count, tail int) engine.Kept
	// Everything keeps all n positions of every KV head.
	Everything() engine.Kept
}

// Scores are numbers for positions on the device, Float32 (rows, m): a row per
// query head or per KV head.
type Scores struct {
	Array engine.Array
	Rows  int

	question string // what was asked, so that it is asked once
}

// Policy chooses what survives. It is a value without state: the same layer
// gives the same choice.
type Policy interface {
	// Name is the method's name in the field.
	Name() string
	// Parameters are the policy's own, in the canonical order, without its budget.
	Parameters() []Parameter
	// Needs says what a layer's choice needs.
	Needs(layer int) Needs
	// Check reports parameters that cannot work with a budget of capacity tokens
	// in a layer, before anything runs.
	Check(layer, capacity int) error
	// Expect says what a layer's cache must then hold, for the audit.
	Expect(l Layer, capacity int) Expectation
	// Keep chooses capacity positions per head; capacity ≤ n.
	Keep(ops Ops, l Layer, capacity int) (engine.Kept, error)
}

// Expectation is what a layer's cache must hold.
type Expectation struct {
	Heads   int // cache heads
	PerHead int // positions in each head; 0 where heads differ
	Total   int // positions in all heads together
	Tail    int // the last positions of the prompt, present in every head
}

// Parameter is a name and its canonical text.
type Parameter struct{ Name, Text string }

// Definition is how a policy is made from its parameters' texts.
type Definition struct {
	Name       string
	Parameters []string // the names New understands, in canonical order
	New        func(arguments map[string]string) (Policy, error)
}

var registry = map[string]Definition{}

// Register makes a policy known by its name. It is called from init.
func Register(d Definition) {
	if _, twice := registry[d.Name]; twice {
		panic("compress: policy " + d.Name + " is registered twice")
	}
	registry[d.Name] = d
}

// Names lists the policies there are, "full" first.
func Names() []string {
	names := []string{"full"}
	for name := range registry {
		names = append(names, name)
	}
	sort.Strings(names[1:])
	return names
}

// Open makes a policy from its name and its parameters' texts; parameters left
// out have their defaults.
func Open(name string, arguments map[string]string) (Policy, error) {
	d, ok := registry[name]
	if !ok {
		return nil, fmt.Errorf("unknown policy %q: have %s", name, strings.Join(Names(), ", "))
	}
	for a := range arguments {
		if !slices.Contains(d.Parameters, a) {
			return nil, fmt.Errorf("policy %s has no parameter %q: have cap, %s", name, a, strings.Join(d.Parameters, ", "))
		}
	}
	return d.New(arguments)
}
