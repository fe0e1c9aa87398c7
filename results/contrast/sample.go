package contrast

import (
	"fmt"
	"slices"

	"github.com/snapbench/snapbench/results"
)

// scored are the rows of a task that have a score.
func scored(rows map[string]*results.Row) map[string]*results.Row {
	list := map[string]*results.Row{}
	for s, r := range rows {
		if r.Score != nil {
			list[s] = r
		}
	}
	return list
}

// alike says that means over two lists of rows are over the same samples, graded alike.
func alike(a, b map[string]*results.Row) bool {
	if len(a) == 0 || len(a) != len(b) {
		return false
	}
	for s, x := range a {
		if y := b[s]; y == nil || y.Unlike(x) != "" {
			return false
		}
	}
	return true
}

// paired are the scores of samples that both have, in the samples' order, and what there is to say about the others.
func paired(mine, its map[string]*results.Row) (pairs []results.Pair, why string) {
	mine, its = scored(mine), scored(its)
	var samples []string
	for s := range mine {
		if its[s] != nil {
			samples = append(samples, s)
		}
	}
	slices.SortFunc(samples, results.Natural)
	prompts, unlike := 0, ""
	for _, s := range samples {
		x, y := its[s], mine[s]
		if w := x.Unlike(y); w != "" {
			unlike = w
			continue
		}
		if x.PromptSHA256 != y.PromptSHA256 && x.PromptSHA256 != "" && y.PromptSHA256 != "" {
			prompts++
		}
		pairs = append(pairs, results.Pair{Base: *x.Score, Cand: *y.Score})
	}
	switch {
	case unlike != "":
		return pairs, unlike
	case prompts > 0:
		return pairs, fmt.Sprintf("other prompts in %d samples, paired by their ids", prompts)
	case len(mine) > 0 && len(its) > 0 && len(pairs) < max(len(mine), len(its)):
		return pairs, fmt.Sprintf("the difference is over %d shared samples", len(pairs))
	}
	return pairs, ""
}

func meanScore(rows map[string]*results.Row) float64 {
	sum := 0.0
	var samples []string
	for s := range rows {
		samples = append(samples, s)
	}
	slices.Sort(samples) // one order, one rounding
	for _, s := range samples {
		sum += *rows[s].Score
	}
	return sum / float64(len(rows))
}

func points(v float64) *float64 { return results.Known(100 * v) }

// unlike says why a mean does not stand beside the others.
func unlike(have, want int) string {
	if have == want {
		return fmt.Sprintf("its %d samples are not the reference's: no mean beside the others'", have)
	}
	return fmt.Sprintf("%d samples have a score, of the reference %d: no mean beside the others'", have, want)
}

func appendNew(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

func (c *Contrast) note(format string, args ...any) {
	c.Notes = appendNew(c.Notes, fmt.Sprintf(format, args...))
}
