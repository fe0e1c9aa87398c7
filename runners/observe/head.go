package observe

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// head is what the attention of one query head adds up to. Every number of the studies is a masked sum of these.
type head struct {
	votes     [][]int32    // by window, ascending
	sums      []float32    // (n) attention of the last window's rows, summed, before that window
	seen      []float64    // (n) B: mean attention of the windows behind a position, the last one apart
	sink      []bool       // (n) B is above the settings' threshold
	generated []float64    // (n) S: attention of the forced text, summed over its rows
	answered  []float64    // (n) the same over the answer's rows, where there are spans
	quarters  [4][]float32 // (n) the same by quarter
	important [4][]float32 // (n) rows of a quarter whose attention is above θ
	content   [4][]float32 // (n) the same above θc
	rows      []int        // (n) those of content, of the whole forced text
	before    []int        // (n+1) those of important, added up over the positions before each
	highest   []float64    // by set of capacities: Σ over rows of that row's own highest attentions, j < n
}

// image is a layer's results on the host.
type image struct {
	results, highest []float32
	votes            []int32
}

// take copies a layer's results, the highest attentions of so many sets of capacities among them.
func (m *image) take(r *reduction, sets int) {
	if m.results == nil {
		m.results, m.votes = make([]float32, r.results.Len), make([]int32, r.votes.Len)
		m.highest = make([]float32, r.highest.Len)
	}
	r.d.Get(m.results, r.results)
	r.d.GetInts(m.votes, r.votes)
	if n := sets * r.h.Query * r.z.Forced; n > 0 {
		r.d.Get(m.highest[:n], r.highest.Slice(0, n))
	}
}

// headsOf takes a layer's results apart.
func (r *reduction) headsOf(m *image, sets int) []head {
	heads := make([]head, r.h.Query)
	side(len(heads), func(h int) { heads[h] = r.headOf(m, h, sets) })
	return heads
}

func (r *reduction) headOf(m *image, h, sets int) head {
	n, heads := r.z.Tokens, r.h.Query
	part := func(i int) []float32 { return m.results[(i*heads+h)*n:][:n] }
	x := head{sums: part(lastPart), seen: make([]float64, n), sink: make([]bool, n), generated: make([]float64, n), rows: make([]int, n), before: make([]int, n+1)}
	for i := range r.z.Windows {
		k := r.voteOf(i)
		x.votes = append(x.votes, m.votes[heads*r.voted(i)+h*k:][:k])
	}
	for j, sum := range part(seenPart) {
		if r.behind[j] > 0 {
			x.seen[j] = float64(sum) / r.behind[j]
			x.sink[j] = x.seen[j] > r.s.Sink
		}
	}
	for g := range x.quarters {
		x.quarters[g], x.important[g], x.content[g] = part(quarterPart+g), part(importantPart+g), part(contentPart+g)
		for j, a := range x.quarters[g] {
			x.generated[j] += float64(a)
			x.before[j+1] += int(x.important[g][j])
			x.rows[j] += int(x.content[g][j])
		}
	}
	for j, rows := range x.before[:n] {
		x.before[j+1] += rows
	}
	if r.answer > 0 {
		x.answered = make([]float64, n)
		for j, a := range part(answeredPart) {
			x.answered[j] = float64(a)
		}
	}
	x.highest = make([]float64, sets)
	for i := range x.highest {
		for _, s := range r.segments {
			count := s[1] - s[0]
			for _, a := range m.highest[(i*r.z.Forced+s[0])*heads+h*count:][:count] {
				x.highest[i] += float64(a)
			}
		}
	}
	return x
}

// contentOf says of each cache head's positions whether they are content by the mean B of its query heads.
func (r *reduction) contentOf(m *image, caches int) [][]bool {
	list, n, group := make([][]bool, caches), r.z.Tokens, r.h.Query/caches
	side(caches, func(c int) {
		sums, content := make([]float64, n), make([]bool, n)
		for h := c * group; h < (c+1)*group; h++ {
			for j, sum := range m.results[(seenPart*r.h.Query+h)*n:][:n] {
				sums[j] += float64(sum)
			}
		}
		for j := range r.z.Prompt {
			content[j] = r.behind[j] == 0 || !(sums[j]/r.behind[j]/float64(group) > r.s.Sink)
		}
		list[c] = content
	})
	return list
}

// cacheHead is what the query heads of one cache head add up to.
type cacheHead struct {
	generated []float64 // (n) S, summed
	content   []bool    // (n)
	all, on   float64   // S over all positions, and over content
}

// grouped adds up the query heads of each cache head.
func grouped(heads []head, content [][]bool) []cacheHead {
	list, group := make([]cacheHead, len(content)), len(heads)/len(content)
	side(len(list), func(c int) {
		x := cacheHead{generated: make([]float64, len(content[c])), content: content[c]}
		for _, m := range heads[c*group : (c+1)*group] {
			for j, a := range m.generated {
				x.generated[j] += a
			}
		}
		for j, a := range x.generated {
			if x.all += a; x.content[j] {
				x.on += a
			}
		}
		list[c] = x
	})
	return list
}

// side does tasks side by side.
func side(tasks int, do func(i int)) {
	var next atomic.Int32
	var wait sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), tasks) {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < tasks; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	wait.Wait()
}
