package results

import (
	"cmp"
	"fmt"
	"slices"
)

// Gap is the difference between two protocols that give a model the same prompt, such as a question that stands in the
// prompt when it is compressed, and one that is read afterwards: by task and variant, paired by sample.
type Gap struct {
	Title    string // what the rows have in common
	From, To string // protocols; From compresses more of the prompt
	Lines    []GapLine
	// Context and Question are the mean tokens of what is compressed under To, and of what is read behind it; 0 where
	// the rows do not know.
	Context, Question float64
}

// GapLine is one task under one variant. The drop is From's score less To's.
type GapLine struct {
	Task, Variant, Label string
	Comparison
}

// Gaps compares the protocols of each model and device in a set, over the samples that two of them asked by the same
// prompt: all others with the one that compresses the most. Sets of one protocol, or of protocols with prompts of
// their own, have none.
func Gaps(set Set) []Gap {
	subjects, parts := Subjects(set.Rows)
	order := make([]int, len(parts)) // those that compress most first
	for i := range order {
		order[i] = i
	}
	most := make([]int64, len(parts))
	for i, rows := range parts {
		for k := range rows {
			if b := rows[k].FullCacheBytes; b != nil {
				most[i] += *b
			}
		}
		most[i] /= int64(len(rows))
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(most[b], most[a]), cmp.Compare(subjects[a].Protocol, subjects[b].Protocol))
	})
	var gaps []Gap
	taken := map[int]bool{}
	for _, i := range order {
		for _, j := range order {
			a, b := subjects[i], subjects[j]
			if i == j || taken[i] || taken[j] || a.Protocol == b.Protocol {
				continue
			}
			if a.Protocol, b.Protocol = "", ""; a != b {
				continue
			}
			if g := gapOf(set.Run, parts[i], parts[j]); len(g.Lines) > 0 {
				g.Title, g.From, g.To = a.String(), subjects[i].Protocol, subjects[j].Protocol
				gaps = append(gaps, g)
				taken[j] = true
			}
		}
	}
	return gaps
}

func gapOf(run Run, from, to []Row) (g Gap) {
	type place struct{ task, sample, variant, prompt string }
	of := func(r *Row) place { return place{r.Task, r.Sample, r.Variant, r.PromptSHA256} }
	first := map[place]float64{}
	for i := range from {
		if r := &from[i]; r.Score != nil && r.PromptSHA256 != "" {
			first[of(r)] = *r.Score
		}
	}
	type cell struct{ task, variant string }
	pairs := map[cell][]Pair{}
	known := 0.0
	for i := range to {
		r := &to[i]
		before, ok := first[of(r)]
		if !ok || r.Score == nil {
			continue
		}
		c := cell{r.Task, r.Variant}
		pairs[c] = append(pairs[c], Pair{before, *r.Score})
		if r.Length != nil && r.PromptTokens != nil {
			known++
			g.Context += float64(*r.Length)
			g.Question += float64(*r.PromptTokens - *r.Length)
		}
	}
	if known > 0 {
		g.Context, g.Question = g.Context/known, g.Question/known
	}
	labels := Labels(to)
	for _, task := range run.TasksOf(to) {
		for _, v := range run.VariantsOf(to) {
			if p := pairs[cell{task, v}]; len(p) > 0 {
				g.Lines = append(g.Lines, GapLine{task, v, labels[v], Compare([][]Pair{p}, 0)})
			}
		}
	}
	return g
}

// Grid lays a gap out, a line for each task and variant.
func (g Gap) Grid() Grid {
	out := Grid{Title: g.Title, Head: []string{"variant", g.From, g.To, g.From + " − " + g.To, "samples", "differ"}}
	several := slices.ContainsFunc(g.Lines, func(l GapLine) bool { return l.Task != g.Lines[0].Task })
	for _, l := range g.Lines {
		name := l.Label
		if several {
			name = l.Task + ", " + name
		}
		out.Rows = append(out.Rows, []string{name, Points(l.Base), Points(l.Cand),
			fixed(100*l.Drop, 2) + interval(100, l.Lo, l.Hi, 1), fmt.Sprint(l.N), fmt.Sprint(l.Differ)})
		out.Strong = append(out.Strong, false)
	}
	out.Notes = []string{"points of 0 to 100 over the samples that both have, by the same prompt; the difference is paired, with its 95 % interval, which takes questions as independent, also those of one context"}
	if g.Question > 0 {
		out.Notes = append(out.Notes, fmt.Sprintf("the context has %.0f tokens on average and what is read behind it %.0f: by %s a cache holds these beside its budget when the answer begins, by %s within it",
			g.Context, g.Question, g.To, g.From))
	}
	return out
}
