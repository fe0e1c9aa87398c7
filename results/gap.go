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
	// HeldFrom and HeldTo are the mean positions that a cache held when the answer began; NaN where unknown.
	HeldFrom, HeldTo float64
	Comparison
}

// Gaps compares the protocols of each model and device in a set, over the samples that two of them asked by the same
// prompt: all others with the one that compresses the most. Sets of one protocol, or of protocols with prompts of
// their own, have none; nor has a task of which half the samples or more have such prompts, as later turns of a dialogue.
func Gaps(set Set) []Gap {
	subjects, parts := Subjects(set.Rows)
	order := make([]int, len(parts)) // those that compress most first
	for i := range order {
		order[i] = i
	}
	most := make([]int64, len(parts))
	for i, rows := range parts {
		known := int64(0)
		for k := range rows {
			if b := rows[k].FullCacheBytes; b != nil {
				most[i] += *b
				known++
			}
		}
		most[i] /= max(1, known)
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
	type place struct{ task, sample, variant string }
	of := func(r *Row) place { return place{r.Task, r.Sample, r.Variant} }
	first := map[place]*Row{}
	for i := range from {
		if r := &from[i]; r.Score != nil && r.PromptSHA256 != "" {
			first[of(r)] = r
		}
	}
	type cell struct{ task, variant string }
	both := map[cell][][2]*Row{}
	same, other := map[string]int{}, map[string]int{} // pairs, by task
	for i := range to {
		r := &to[i]
		switch before := first[of(r)]; {
		case before == nil || r.Score == nil || before.Unlike(r) != "":
		case before.PromptSHA256 != r.PromptSHA256:
			other[r.Task]++
		default:
			c := cell{r.Task, r.Variant}
			both[c] = append(both[c], [2]*Row{before, r})
			same[r.Task]++
		}
	}
	known := 0.0
	labels := Labels(to)
	for _, task := range run.TasksOf(to) {
		if other[task] >= same[task] {
			continue
		}
		for _, v := range run.VariantsOf(to) {
			var pairs []Pair
			var held [2][]float64
			for _, b := range both[cell{task, v}] {
				pairs = append(pairs, Pair{*b[0].Score, *b[1].Score})
				for i, r := range b {
					if r.HeldMean != nil {
						held[i] = append(held[i], *r.HeldMean)
					}
				}
				if r := b[1]; r.Length != nil && r.PromptTokens != nil {
					known++
					g.Context += float64(*r.Length)
					g.Question += float64(*r.PromptTokens - *r.Length)
				}
			}
			if len(pairs) > 0 {
				g.Lines = append(g.Lines, GapLine{task, v, labels[v], MeanInterval(held[0]).Mean, MeanInterval(held[1]).Mean, Compare([][]Pair{pairs}, 0)})
			}
		}
	}
	if known > 0 {
		g.Context, g.Question = g.Context/known, g.Question/known
	}
	return g
}

// Grid lays a gap out, a line for each task and variant.
func (g Gap) Grid() Grid {
	out := Grid{Title: g.Title, Head: []string{"variant", g.From, g.To, g.From + " − " + g.To, "samples", "differ"}}
	several := slices.ContainsFunc(g.Lines, func(l GapLine) bool { return l.Task != g.Lines[0].Task })
	held := slices.ContainsFunc(g.Lines, func(l GapLine) bool { return l.HeldFrom > 0 && l.HeldTo > 0 })
	if held {
		out.Head = append(out.Head, "held, "+g.From, g.To)
	}
	for _, l := range g.Lines {
		name := l.Label
		if several {
			name = l.Task + ", " + name
		}
		row := []string{name, Points(l.Base), Points(l.Cand),
			fixed(100*l.Drop, 2) + interval(100, l.Lo, l.Hi, 1), fmt.Sprint(l.N), fmt.Sprint(l.Differ)}
		if held {
			row = append(row, count(l.HeldFrom), count(l.HeldTo))
		}
		out.Rows = append(out.Rows, row)
		out.Strong = append(out.Strong, false)
	}
	out.Notes = []string{"points of 0 to 100 over the samples that both have, by the same prompt; the difference is paired, with its 95 % interval, which takes questions as independent, also those of one context"}
	if g.Question > 0 {
		out.Notes = append(out.Notes, fmt.Sprintf("the context has %.0f tokens on average and what is read behind it %.0f: by %s a cache holds these beside its budget when the answer begins, by %s within it",
			g.Context, g.Question, g.To, g.From))
	}
	if held {
		out.Notes = append(out.Notes, "held: mean positions of a cache head when the answer begins")
	}
	return out
}
