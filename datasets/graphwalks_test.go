package datasets

import (
	"fmt"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/datasets/graphwalks"
)

// A prompt read back gives the graph, the operation and the answer; depths come in turn.
func TestGraphWalksPrompts(t *testing.T) {
	number := map[string]int{}
	for i := range 50 {
		number[graphwalks.Node(i)] = i
	}
	for _, name := range []string{"graphwalks.bfs", "graphwalks-2025.bfs", "graphwalks.parents"} {
		task, err := Open(name, Options{Own: &GraphWalksOptions{MadeOptions: MadeOptions{Sizes: []int{50}, Trials: 4}, OutDegree: 3, Hops: []int{2, 1}}})
		if err != nil {
			t.Fatal(err)
		}
		for i := range task.Len() {
			s := task.Sample(i, Model{Tokenizer: wordwise()})
			if s.Err != nil {
				t.Fatal(s.Err)
			}
			_, rest, _ := strings.Cut(s.Prompt, "Here is the graph to operate on:\nThe graph has the following edges:\n")
			edges, operation, _ := strings.Cut(rest, "\n\n\nOperation:\n")
			g := graphwalks.Graph{Nodes: 50}
			for line := range strings.SplitSeq(edges, "\n") {
				from, to, _ := strings.Cut(line, " -> ")
				g.Edges = append(g.Edges, [2]int{number[from], number[to]})
			}
			start := number[asOperation(s.Prompt)]
			want := graphwalks.Answer(g.Parents(start))
			if strings.HasSuffix(name, ".bfs") {
				depth := 2 - i%2
				want = graphwalks.Answer(g.BFS(start, depth))
				if !strings.Contains(operation, fmt.Sprintf(" with depth %d.", depth)) {
					t.Errorf("%s, %s asks %q, want depth %d", name, s.ID, operation, depth)
				}
			}
			if len(g.Edges) != 150 || len(s.Answers) != 1 || s.Answers[0] != want {
				t.Errorf("%s, %s: %d edges, answer %q, want %q", name, s.ID, len(g.Edges), s.Answers, want)
			}
			if exactly := strings.Contains(s.Prompt, "exactly at that depth"); exactly != !strings.Contains(name, "2025") {
				t.Errorf("%s says that other depths do not count: %t", name, exactly)
			}
		}
	}
}
