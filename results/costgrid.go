package results

import (
	"fmt"
	"math"
	"slices"
)

// CostGrid lays out time and memory by variant; ok is false where no row knows any.
func CostGrid(run Run, rows []Row) (g Grid, ok bool) {
	costs := Costs(run, rows)
	if slices.ContainsFunc(costs, func(c Cost) bool { return !math.IsNaN(c.Served.FirstTokenP50) }) {
		return servedGrid(costs), true
	}
	g.Head = []string{"variant", "prompt tokens", "kept", "cache", cacheColumn, "peak memory", "prefill", "decode"}
	var caches []Footprint
	for _, c := range costs {
		caches = append(caches, c.Cache)
		row := []string{c.Label, count(c.PromptTokens), count(c.KeptMean), Bytes(c.CacheBytes), c.Cache.String(), "n/a", Seconds(c.PrefillSeconds), "n/a"}
		if c.PeakBytes > 0 {
			row[5] = Bytes(float64(c.PeakBytes))
		}
		if !math.IsNaN(c.DecodeTokensPerSecond) {
			row[7] = Significant(c.DecodeTokensPerSecond, 3) + " tokens/s"
		}
		for _, s := range row[1:] {
			ok = ok || s != "n/a"
		}
		g.Rows, g.Strong = append(g.Rows, row), append(g.Strong, false)
	}
	g.Notes = []string{"means over rows; peak memory is the most of any row; all variants of a sample share one prefill and are decoded together, so their times are of the whole batch"}
	for _, c := range costs {
		if c.Failed > 0 && c.Failed < c.Rows {
			g.Notes = append(g.Notes, fmt.Sprintf("%s failed in %d of %d rows, and what these lack is not in its means", c.Label, c.Failed, c.Rows))
		}
	}
	g.Notes = append(append(g.Notes, explainAbove(caches)...), explainFixed(caches)...)
	if someFixed(caches) {
		g.Head = slices.Insert(g.Head, 5, chosenColumn)
		for i, f := range caches {
			g.Rows[i] = slices.Insert(g.Rows[i], 5, ratioText(f.ChosenTimesFull))
		}
	}
	return g, ok
}
