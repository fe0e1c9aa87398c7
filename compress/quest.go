package compress

import (
	"cmp"
	"fmt"
	"slices"
)

func init() {
	Register(Definition{
		Name: "quest", Title: "Quest", Paper: "2406.10774",
		Help: "frees nothing: it keeps every position, and at each decoding step each query head reads the pages of the cache whose keys could match its query best, and the latest positions",
		Parameters: []Parameter{
			{Name: "page", Kind: Whole, Default: "16", Least: 1, Help: "positions in a page"},
			{Name: "recent", Kind: Whole, Default: "8", Least: 1, Help: "latest positions, always read, the step's own included"},
		},
		New: func(a Arguments) (Policy, error) { return quest{full{}, a.Whole("page"), a.Whole("recent")}, nil },
	})
}

// quest asks the selector in every layer and step, those of the first layers too, which
// its authors leave whole.
type quest struct {
	full
	page, recent List[int]
}

func (p quest) Check(l Layer, c Capacity) error {
	if recent := p.recent.At(l.Index); c.Tokens <= recent {
		return fmt.Errorf("capacity %d leaves nothing beside the latest %d positions: it must be larger", c.Tokens, recent)
	}
	return nil
}

// Read leaves out pages that the layer's sliding window hides whole, so that they take
// nothing of the budget.
func (p quest) Read(l Layer, c Capacity, queries, keys [][]float32) [][]int32 {
	q := Quest{Page: p.page.At(l.Index), Recent: p.recent.At(l.Index), Budget: c.Tokens}
	read := make([][]int32, len(queries))
	for a, query := range queries {
		all := keys[a/l.Heads.Group()]
		n := len(all) / len(query)
		start := l.hidden(n) / q.Page * q.Page
		read[a] = q.Select(q.Scores(query, all[start*len(query):]), n-start)
		for i := range read[a] {
			read[a][i] += int32(start)
		}
	}
	return read
}

// Quest is the selector of Quest (arXiv 2406.10774, section 3.2) in the form of
// KVCache-Factory: it says for one query which pages of the cache to read.
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
