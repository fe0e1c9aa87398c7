// Package graphwalks has the graphs and texts of GraphWalks (openai/graphwalks): a list of
// directed edges, and a walk over them to be carried out.
package graphwalks

import (
	"crypto/md5"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"sync"
)

//go:embed prompts.json
var promptsJSON []byte

// Digest is what prompts are made of, for a data set's digest.
func Digest() string { return string(promptsJSON) }

var texts = sync.OnceValue(func() (t struct {
	Head            string `json:"head"`
	GraphHead       string `json:"graph_head"`
	BeforeOperation string `json:"before_operation"`
	BFS             string `json:"bfs"`
	Parents         string `json:"parents"`
	Tail            string `json:"tail"`
	BFSSentence2026 string `json:"bfs_sentence_2026"`
}) {
	if err := json.Unmarshal(promptsJSON, &t); err != nil {
		panic("graphwalks: the embedded prompts: " + err.Error())
	}
	return t
})

// Node names node i: the first ten hexadecimal digits of the MD5 of its number.
func Node(i int) string {
	sum := md5.Sum([]byte(strconv.Itoa(i)))
	return hex.EncodeToString(sum[:])[:10]
}

// Graph is a list of directed edges, in the order in which they are told.
type Graph struct {
	Nodes int
	Edges [][2]int // from, to; repeats and self-loops are allowed
}

// Random draws a graph whose every node has so many edges, to nodes drawn uniformly, in the order
// of their sources. intn returns a number from 0 to n-1.
func Random(nodes, degree int, intn func(n int) int) Graph {
	g := Graph{Nodes: nodes, Edges: make([][2]int, 0, nodes*degree)}
	for from := range nodes {
		for range degree {
			g.Edges = append(g.Edges, [2]int{from, intn(nodes)})
		}
	}
	return g
}

// BFS returns the nodes that are first reached after exactly depth steps from start, in order of
// their numbers. start itself is none of them.
func (g Graph) BFS(start, depth int) []int {
	next := make([][]int, g.Nodes)
	for _, e := range g.Edges {
		next[e[0]] = append(next[e[0]], e[1])
	}
	seen := make([]bool, g.Nodes)
	seen[start] = true
	front := []int{start}
	for range depth {
		var reached []int
		for _, from := range front {
			for _, to := range next[from] {
				if !seen[to] {
					seen[to] = true
					reached = append(reached, to)
				}
			}
		}
		front = reached
	}
	if depth == 0 {
		return nil
	}
	slices.Sort(front)
	return front
}

// Parents returns the nodes with an edge to node, which is none of them, in order.
func (g Graph) Parents(node int) []int {
	var list []int
	for _, e := range g.Edges {
		if e[1] == node && e[0] != node {
			list = append(list, e[0])
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// Text is the list of edges, a line each.
func (g Graph) Text() string {
	names := make([]string, g.Nodes)
	for i := range names {
		names[i] = Node(i)
	}
	var b strings.Builder
	for i, e := range g.Edges {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(names[e[0]] + " -> " + names[e[1]])
	}
	return b.String()
}

// Edition is a wording of the prompt.
type Edition int

const (
	// Edition2025 is the first wording, which left open whether nodes at smaller depths count.
	Edition2025 Edition = 2025
	// Edition2026 says since 2026-02-27 that they do not.
	Edition2026 Edition = 2026
)

// Frame returns the texts before and after the edges, and the operation that the second holds.
// depth 0 asks for the parents of node, any other for the nodes reached after so many steps.
func (e Edition) Frame(node, depth int) (head, tail, operation string) {
	t := texts()
	head = t.Head
	if e == Edition2026 {
		const from, to = "If asked for a breadth-first search", "starting node."
		begin := strings.Index(head, from)
		end := begin + strings.Index(head[begin:], to) + len(to)
		head = head[:begin] + t.BFSSentence2026 + head[end:]
	}
	operation = strings.ReplaceAll(t.Parents, "{node}", Node(node))
	if depth > 0 {
		operation = strings.NewReplacer("{node}", Node(node), "{depth}", strconv.Itoa(depth)).Replace(t.BFS)
	}
	return head + t.GraphHead, t.BeforeOperation + operation + t.Tail, operation
}

// Answer is the final answer as the prompt asks for it.
func Answer(nodes []int) string {
	names := make([]string, len(nodes))
	for i, n := range nodes {
		names[i] = Node(n)
	}
	return "Final Answer: [" + strings.Join(names, ", ") + "]"
}
