package compress

import (
	"cmp"
	"slices"
)

// Quest is the selector of Quest (arXiv 2406.10774, section 3.2) in the form of
// KVCache-Factory. It is not a policy: it drops nothing, and says for one query which
// pages of the cache to read. A decoder would ask it in every layer and step.
type Quest struct {
	Page   int // positions in a page
	Recent int // the last positions, always read
	Budget int // positions that are read, these included
}

// recent returns how many of n positions are read whatever the scores say.
func (q Quest) recent(n int) int { return min(n, q.Recent, q.Budget) }

// Scores returns, for each page of the keys (n, d) before the recent ones, the most
// that the query's (d) product with a key in the page's bounds could be; the last page
// may be short.
func (q Quest) Scores(query, keys []float32) []float32 {
	d := len(query)
	before := len(keys)/d - q.recent(len(keys)/d)
	var scores []float32
	for lo := 0; lo < before; lo += q.Page {
		page := keys[lo*d : min(lo+q.Page, before)*d]
		sum := 0.0
		for c, v := range query {
			low, high := page[c], page[c]
			for at := c; at < len(page); at += d {
				low, high = min(low, page[at]), max(high, page[at])
			}
			sum += max(float64(v)*float64(low), float64(v)*float64(high))
		}
		scores = append(scores, float32(sum))
	}
	return scores
}

// Select returns the positions of n to read by the pages' scores, ascending: those of
// the highest pages (ties to the first), one page more where the last may be short,
// of them the first that the budget has room for; and the recent ones.
func (q Quest) Select(scores []float32, n int) []int32 {
	if q.Budget >= n {
		return span(0, n)
	}
	before, room := n-q.recent(n), q.Budget-q.recent(n)
	pages := (room + q.Page - 1) / q.Page
	if before%q.Page != 0 && room > 0 {
		pages++
	}
	order := make([]int, len(scores))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(scores[b], scores[a]) })
	order = order[:min(pages, len(order))]
	slices.Sort(order)
	var positions []int32
	for _, i := range order {
		positions = append(positions, span(i*q.Page, min((i+1)*q.Page, before))...)
	}
	return append(positions[:room], span(before, n)...)
}
