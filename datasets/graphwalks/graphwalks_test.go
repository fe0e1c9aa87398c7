package graphwalks

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/snapbench/snapbench/runners/sharedtest"
)

// Graphs of known answers, with the hash of the whole prompt.
func TestSharedSamples(t *testing.T) {
	var file struct {
		Samples []struct {
			Type    string `json:"problem_type"`
			Nodes   int
			Degree  int `json:"out_degree"`
			Start   int
			Depth   *int
			Edges   []string
			Answers []string `json:"answer_nodes"`
			Chars   int      `json:"prompt_chars"`
			SHA256  string   `json:"prompt_sha256"`
			Prompt  string
			Walks   []string `json:"same_length_walks"`
			Within  []string `json:"within_depth"`
		}
	}
	sharedtest.JSON(t, sharedtest.Path(t, "tasks", "graphwalks.json"), &file)
	for i, s := range file.Samples {
		g := Graph{Nodes: s.Nodes}
		for _, e := range s.Edges {
			var edge [2]int
			if _, err := fmt.Sscan(e, &edge[0], &edge[1]); err != nil {
				t.Fatalf("edge %q: %v", e, err)
			}
			g.Edges = append(g.Edges, edge)
		}
		depth, nodes := 0, g.Parents(s.Start)
		if s.Type == "bfs" {
			depth = *s.Depth
			nodes = g.BFS(s.Start, depth)
		}
		if got := namesOf(nodes); !slices.Equal(got, s.Answers) {
			t.Errorf("sample %d: %s from %d: %q, want %q", i, s.Type, s.Start, got, s.Answers)
		}
		if want := "Final Answer: [" + strings.Join(s.Answers, ", ") + "]"; Answer(nodes) != want {
			t.Errorf("sample %d: %q, want %q", i, Answer(nodes), want)
		}
		head, tail, operation := Edition2025.Frame(s.Start, depth)
		prompt := head + g.Text() + tail
		if s.Prompt != "" && prompt != s.Prompt {
			t.Errorf("sample %d: the prompt is\n%q, want\n%q", i, prompt, s.Prompt)
		}
		sum := sha256.Sum256([]byte(prompt))
		if hex.EncodeToString(sum[:]) != s.SHA256 || utf8.RuneCountInString(prompt) != s.Chars || !strings.Contains(tail, operation) {
			t.Errorf("sample %d: the prompt's hash is %x, %d characters, want %s, %d", i, sum, utf8.RuneCountInString(prompt), s.SHA256, s.Chars)
		}
		if s.Type == "bfs" { // the two other readings of 2025's wording differ where the file says so
			walks, within := otherReadings(g, s.Start, depth)
			if !slices.Equal(namesOf(walks), s.Walks) || !slices.Equal(namesOf(within), s.Within) {
				t.Errorf("sample %d: other readings %q and %q, want %q and %q", i, namesOf(walks), namesOf(within), s.Walks, s.Within)
			}
		}
	}
	if len(file.Samples) == 0 {
		t.Fatal("no samples")
	}
	t.Logf("graphwalks.json: %d graphs, their answers and their prompts' hashes equal", len(file.Samples))
}

// otherReadings are the ends of walks of so many steps, and all nodes within them.
func otherReadings(g Graph, start, depth int) (walks, within []int) {
	front, all := map[int]bool{start: true}, map[int]bool{}
	for range depth {
		next := map[int]bool{}
		for _, e := range g.Edges {
			if front[e[0]] {
				next[e[1]], all[e[1]] = true, true
			}
		}
		front = next
	}
	for i := range g.Nodes {
		if i != start && front[i] {
			walks = append(walks, i)
		}
		if i != start && all[i] {
			within = append(within, i)
		}
	}
	return walks, within
}

func namesOf(nodes []int) []string {
	names := make([]string, len(nodes))
	for i, n := range nodes {
		names[i] = Node(n)
	}
	return names
}

// The wording of 2026 changes one sentence, by 56 characters.
func TestEdition2026(t *testing.T) {
	was, _, _ := Edition2025.Frame(0, 1)
	is, _, _ := Edition2026.Frame(0, 1)
	const sentence = "If asked for a breadth-first search (BFS), only return the nodes that are reachable at that depth, do not return the starting node."
	if !strings.Contains(was, sentence) || strings.Contains(is, sentence) || len(is)-len(was) != 56 {
		t.Errorf("%d characters became %d", len(was), len(is))
	}
	if g := (Graph{Nodes: 3, Edges: [][2]int{{0, 0}, {0, 1}, {1, 2}, {2, 0}, {0, 1}}}); !slices.Equal(g.BFS(0, 2), []int{2}) || len(g.BFS(0, 3)) != 0 || !slices.Equal(g.Parents(0), []int{2}) || !slices.Equal(g.Parents(1), []int{0}) {
		t.Errorf("walks of %v: %v, %v, %v", g.Edges, g.BFS(0, 2), g.BFS(0, 3), g.Parents(0))
	}
}
