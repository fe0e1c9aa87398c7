package datasets

import (
	"fmt"
	"strings"

	"github.com/snapbench/snapbench/datasets/graphwalks"
)

// graphwalksVersion is the version of GraphWalks' prompts and rules.
//
// Changes: 1, the first.
const graphwalksVersion = 1

// graphwalksEditions are the wordings by what stands before the dot of a task's name.
var graphwalksEditions = map[string]graphwalks.Edition{"graphwalks": graphwalks.Edition2026, "graphwalks-2025": graphwalks.Edition2025}

func init() {
	groups := map[string][]string{}
	for edition := range graphwalksEditions {
		groups[edition] = []string{edition + ".bfs", edition + ".parents"}
	}
	Register(Definition{
		Family: "graphwalks", Help: "walk over a graph told as a list of edges: breadth-first search, parents of a node",
		Names:  append(groups["graphwalks"], groups["graphwalks-2025"]...),
		Groups: groups,
		Origin: &Origin{Source: "openai/graphwalks on the Hugging Face hub", Licence: "MIT", Inside: "prompts of two editions, graphs made here, graders"},
		Own:    func() any { return &GraphWalksOptions{MadeOptions: MadeOptions{Seed: 42}, OutDegree: 4} },
		Open:   openGraphWalks,
	})
}

// GraphWalksOptions say which graphs to draw.
type GraphWalksOptions struct {
	MadeOptions // by default lengths of 1024, 2048, 4096 and 3 trials, of one where lengths or sizes are asked for
	// OutDegree is the number of edges from each node.
	OutDegree int `option:"out-degree" kind:"whole" least:"1" help:"edges from each node"`
	// Hops are the depths of the breadth-first searches, one after the other over the trials; default 1, 2, 3.
	Hops []int `option:"hops" kind:"whole" least:"1" help:"depths of the searches, in turn over the trials (default 1,2,3)"`
	// NewTokens is the most new tokens; default twice the answer's and 64.
	NewTokens int `option:"new-tokens" kind:"whole" least:"1" help:"most new tokens; lm-evaluation-harness lets models think for 16384 (default twice the answer's and 64)" json:",omitempty"`
}

func openGraphWalks(name string, o Options) (Task, error) {
	own := *o.Own.(*GraphWalksOptions)
	edition, kind, _ := strings.Cut(name, ".")
	if len(own.Hops) == 0 {
		own.Hops = []int{1, 2, 3}
	}
	for _, n := range append([]int{own.OutDegree}, own.Hops...) {
		if n < 1 || n > 1000 {
			return nil, &OptionError{fmt.Errorf("task %s: %d edges from a node, searches to the depths %v: have 1 to 1000", name, own.OutDegree, own.Hops)}
		}
	}
	t := &madeTask{name: name, seed: own.Seed, grid: own.cells(), recipe: recipe{
		version: graphwalksVersion, texts: graphwalks.Digest(), perUnit: 20 * own.OutDegree, least: 2,
		make: func(rng *random, c cell, nodes int) (made, error) {
			depth := 0
			if kind == "bfs" {
				depth = own.Hops[c.trial%len(own.Hops)]
			}
			return walk(rng, graphwalksEditions[edition], nodes, own.OutDegree, depth, own.NewTokens), nil
		},
	}}
	return openMade(t, cells{unit: "nodes", lengths: LengthSweep(4096), trials: 3}, o, "graphwalks_fixed_flexible_f1")
}

// walk draws a graph and a start. Every edge is a needle that leads on from what a search reaches, or to the node whose
// parents are asked for.
func walk(rng *random, edition graphwalks.Edition, nodes, degree, depth, maxNew int) made {
	g := graphwalks.Random(nodes, degree, rng.intn)
	start := rng.intn(nodes)
	head, tail, operation := edition.Frame(start, depth)
	answer, needed := g.Parents(start), []int{start}
	if depth > 0 {
		answer = g.BFS(start, depth)
		for d := 1; d < depth; d++ {
			needed = append(needed, g.BFS(start, d)...)
		}
	}
	p := made{
		messages: []Message{{Role: "user", Content: head + contextMark + tail}}, context: g.Text(),
		answers: []string{graphwalks.Answer(answer)}, question: operation, maxNew: maxNew, spare: 64,
	}
	wanted := make([]bool, nodes)
	for _, n := range needed {
		wanted[n] = true
	}
	line := len(graphwalks.Node(0) + " -> " + graphwalks.Node(0) + "\n")
	for i, e := range g.Edges {
		if end := e[1]; depth > 0 && wanted[e[0]] || depth == 0 && wanted[end] {
			p.marks = append(p.marks, Mark{"needle", i * line, (i+1)*line - 1})
		}
	}
	return p
}
