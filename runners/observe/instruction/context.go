package instruction

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners/models"
)

var errNotFinite = errors.New("the logits are not finite")

// Context is one text and what its questions show. Lists are by layer unless they say otherwise.
type Context struct {
	ID        string     `json:"id"`
	Tokens    int        `json:"n_context"`
	Vote      int        `json:"votes_size"` // of all heads of a layer: heads · ⌊n_c/f⌋
	Own       int        `json:"own_rows"`   // rows of the context's own end, fewer than asked for where it is shorter
	Questions []Question `json:"questions"`
	Pairs     []Pair     `json:"pairs"`
	Error     string     `json:"error,omitempty"` // why it was not observed
}

// Question is what one question's rows show.
type Question struct {
	ID       string  `json:"id"`
	Tokens   int     `json:"n"`        // of the prompt
	Response []int32 `json:"response"` // the greedy one
	// OwnVotes counts what the context's own end and the question both vote for.
	OwnVotes []int `json:"votes_context"`
	// Beyond counts its votes behind the first positions, which are sinks.
	Beyond []int `json:"votes_size_nosink"`
	// Kept counts, by variant, what is kept of the context, over all cache heads.
	Kept map[string][]int `json:"kept_size"`
	// After and Before are the response's hits with the question behind the context and before it, by layer and window:
	// important attentions that the last window voted for, and all. Before is missing where the question cannot stand
	// there, which Why says.
	After  [][]Hit `json:"after"`
	Before [][]Hit `json:"before,omitempty"`
	Why    string  `json:"before_error,omitempty"`

	votes [][][]int32   // by layer and head
	kept  [][][][]int32 // by variant, layer and cache head
}

// Hit counts the attentions of a response's rows above θ to positions before a window, and how many of those the window
// voted for. Both are -1 where the prompt has no such window.
type Hit struct {
	Hits      int `json:"hits"`
	Important int `json:"important"`
}

// Pair is two questions, by their numbers, and what both vote for or keep.
type Pair struct {
	A      int              `json:"a"`
	B      int              `json:"b"`
	Votes  []int            `json:"votes"`
	NoSink []int            `json:"votes_nosink"` // without the first positions
	Kept   map[string][]int `json:"kept"`         // by variant
}

// Asked is a question of a context as tokens.
type Asked struct {
	ID       string
	Question []int32 // read behind the context
	Before   []int32 // the whole prompt with the question before the context
	Why      error   // why there is no Before
	Sample   int     // from which a random policy draws
}

// Observe measures a context of two questions or more.
func Observe(ctx context.Context, m *models.Model, s Settings, id string, text []int32, asked []Asked, variants []compress.Variant) (c Context, err error) {
	c = Context{ID: id, Tokens: len(text), Vote: m.Heads.Query * (len(text) / s.Share), Own: min(s.Own, len(text))}
	if len(asked) < 2 {
		return c, fmt.Errorf("%d questions: it takes two of one context to compare", len(asked))
	}
	if c.Vote == 0 {
		return c, fmt.Errorf("a context of %d tokens has no vote of 1/%d: it takes %d", len(text), s.Share, s.Share)
	}
	for _, a := range asked {
		q, err := s.question(ctx, m, text, a, variants, c.Own)
		if err != nil {
			return c, fmt.Errorf("question %s: %w", a.ID, err)
		}
		c.Questions = append(c.Questions, q)
	}
	for a := range c.Questions {
		for b := range a {
			c.Pairs = append(c.Pairs, pair(c.Questions, b, a, s, variants))
		}
	}
	slices.SortStableFunc(c.Pairs, func(a, b Pair) int { return a.A - b.A })
	return c, nil
}

// question measures one question: behind the context, and before it.
func (s Settings) question(ctx context.Context, m *models.Model, text []int32, a Asked, variants []compress.Variant, own int) (q Question, err error) {
	prompt := slices.Concat(text, a.Question)
	q = Question{ID: a.ID, Tokens: len(prompt), Kept: map[string][]int{}}
	r, err := read(ctx, m, prompt, a.Sample, s.Response, variants)
	if err != nil {
		return q, err
	}
	q.Response, q.kept = r.response, r.kept
	for i, v := range variants {
		sizes := make([]int, len(m.PolicyLayers()))
		for layer, heads := range q.kept[i] {
			for h, keep := range heads {
				end, _ := slices.BinarySearch(keep, int32(len(text)))
				heads[h] = keep[:end]
				sizes[layer] += end
			}
		}
		q.Kept[v.String()] = sizes
	}
	first := min(len(text)-own, s.first(len(prompt)))
	err = layers(ctx, m, slices.Concat(prompt, r.response), first, func(_ int, x *attention) {
		n, k := len(text), len(text)/s.Share
		voted := votes(x.rows(n, len(prompt)+len(r.response), n), k)
		ends := votes(x.rows(n-own, n, n), k)
		beyond, common := 0, 0
		for h, v := range voted {
			beyond += both(v, v, int32(s.Sinks))
			common += both(v, ends[h], 0)
		}
		q.votes, q.Beyond, q.OwnVotes = append(q.votes, voted), append(q.Beyond, beyond), append(q.OwnVotes, common)
		q.After = append(q.After, s.hits(x, len(prompt)))
	})
	if err != nil || a.Why != nil {
		if a.Why != nil {
			q.Why = a.Why.Error()
		}
		return q, err
	}
	if r, err = read(ctx, m, a.Before, a.Sample, s.Response, nil); err != nil {
		return q, err
	}
	err = layers(ctx, m, slices.Concat(a.Before, r.response), s.first(len(a.Before)), func(_ int, x *attention) {
		q.Before = append(q.Before, s.hits(x, len(a.Before)))
	})
	return q, err
}

// first is the first row of the widest window that a prompt of n tokens has.
func (s Settings) first(n int) int {
	first := n
	for _, w := range s.Windows {
		if w < n {
			first = min(first, n-w)
		}
	}
	return first
}

// votes are the k highest of each head.
func votes(sums [][]float32, k int) (list [][]int32) {
	for _, row := range sums {
		list = append(list, top(row, k))
	}
	return list
}

// hits holds the votes of a prompt's last windows to what the rows of its response attend to.
func (s Settings) hits(x *attention, n int) []Hit {
	list := make([]Hit, len(s.Windows))
	voted := make([][][]int32, len(s.Windows))
	for i, w := range s.Windows {
		if w < n && n >= s.Share {
			voted[i] = votes(x.rows(n-w, n, n-w), n/s.Share)
		} else {
			list[i] = Hit{-1, -1}
		}
	}
	for t := range s.Response {
		for h, row := range x.rows(n+t, n+t+1, n) {
			for j, a := range row {
				if float64(a) <= s.Important {
					continue
				}
				for i, w := range s.Windows {
					if voted[i] == nil || j >= n-w {
						continue
					}
					list[i].Important++
					if _, ok := slices.BinarySearch(voted[i][h], int32(j)); ok {
						list[i].Hits++
					}
				}
			}
		}
	}
	return list
}

// pair compares questions a and b.
func pair(list []Question, a, b int, s Settings, variants []compress.Variant) Pair {
	p := Pair{A: a, B: b, Kept: map[string][]int{}}
	for layer, heads := range list[a].votes {
		votes, rest := 0, 0
		for h, v := range heads {
			votes += both(v, list[b].votes[layer][h], 0)
			rest += both(v, list[b].votes[layer][h], int32(s.Sinks))
		}
		p.Votes, p.NoSink = append(p.Votes, votes), append(p.NoSink, rest)
	}
	for i, v := range variants {
		var common []int
		for layer, heads := range list[a].kept[i] {
			n := 0
			for h, keep := range heads {
				n += both(keep, list[b].kept[i][layer][h], 0)
			}
			common = append(common, n)
		}
		p.Kept[v.String()] = common
	}
	return p
}
