package observe

import (
	"fmt"
	"slices"

	"github.com/snapbench/snapbench/runners/engine"
)

// measure computes a layer from the full cache's keys, and brings it back; capacities are sets of those, by query head, whose
// rows' highest attentions are asked for.
func (r *reduction) measure(layer int, c engine.Cache, by engine.Attention, capacities [][]int, into *image) error {
	kv, err := whole(c, r.z.Tokens+r.z.Forced, r.h.KV)
	if err != nil {
		return err
	}
	for _, a := range []engine.Array{r.results, r.quarters, r.counts} {
		r.fill(a, 0)
	}
	r.sumWindows(layer, kv, by)
	r.sumForced(layer, kv, by, capacities)
	r.pack()
	into.take(r, len(capacities))
	return r.d.Sync()
}

// whole is a cache that keeps everything, as keys and values of so many tokens.
func whole(c engine.Cache, tokens, heads int) (engine.KV, error) {
	for g, start := range c.Start {
		if start != g*tokens || len(c.Start) != heads || c.Len[g]+c.Room != tokens {
			return engine.KV{}, fmt.Errorf("the full cache's head %d begins at row %d, want %d", g, start, g*tokens)
		}
	}
	size := heads * tokens * c.Size
	return engine.KV{K: c.K.Slice(0, size), V: c.V.Slice(0, size), Tokens: tokens, Heads: heads, Size: c.Size}, nil
}

// sumWindows adds up each window's rows, before the window, and lets it vote.
func (r *reduction) sumWindows(layer int, kv engine.KV, by engine.Attention) {
	d, heads, queries := r.d, r.h.Query, r.z.Windows*r.s.Window*r.h.Query*r.h.Size
	r.fill(r.windows, 0)
	d.ColumnSums(r.windows, r.prompt.Slice(layer*queries, (layer+1)*queries), kv, r.z.start(0, r.s), by)
	var selections []engine.Selection
	size := heads * kv.Tokens
	for i := range r.z.Windows {
		sums, vote := r.windows.Slice(i*size, (i+1)*size), heads*r.voted(i)
		r.multiply(sums, r.masks.Slice(i*kv.Tokens, (i+1)*kv.Tokens), heads, 1)
		selections = append(selections, engine.Selection{Scores: sums, Rows: heads, Count: r.voteOf(i), Dst: r.votes.Slice(vote, vote+heads*r.voteOf(i))})
		if i < r.z.Windows-1 { // the first n columns of it
			d.CombineScores(r.of(r.results, seenPart), sums, r.of(r.results, seenPart), heads, engine.ScoresPlus, 1)
		}
	}
	d.Select(selections)
}

// sumForced adds up and counts the rows of the forced text, a segment at a time.
func (r *reduction) sumForced(layer int, kv engine.KV, by engine.Attention, capacities [][]int) {
	d, z, n, heads, width := r.d, r.z, r.z.Tokens, r.h.Query, r.h.Query*r.h.Size
	for _, segment := range r.segments {
		t, end := segment[0], segment[1]
		g, count := z.quarter(t), end-t
		rows, at := r.rows.Slice(0, heads*count*n), layer*z.Forced+t
		d.AttentionRows(rows, r.forced.Slice(at*width, (at+count)*width), kv, n+t, by)
		d.GroupScores(r.part, rows, engine.Heads{Query: heads * count, KV: heads, Size: r.h.Size}, engine.GroupMean)
		r.multiply(r.part, engine.Array{}, heads, float32(count))
		r.add(r.of(r.quarters, g), r.part)
		if t < r.answer {
			r.add(r.of(r.results, r.answeredPart()), r.part)
		}
		for i, above := range []float64{r.s.Important, r.s.Content} {
			d.CountAbove(r.part, rows, heads, float32(above))
			r.add(r.of(r.counts, 4*i+g), r.part)
		}
		for i, counts := range capacities {
			d.HighestSums(r.highest.Slice((i*z.Forced+t)*heads, (i*z.Forced+end)*heads), rows, counts)
		}
	}
}

// pack makes what leaves the device of sums and counts.
func (r *reduction) pack() {
	d, n, heads := r.d, r.z.Tokens, r.h.Query
	for i := countsEach - 1; i >= 0; i-- {
		to := r.of(r.results, countsPart+i/r.digits)
		if i%r.digits < r.digits-1 {
			r.multiply(to, engine.Array{}, heads, float32(r.base))
		}
		r.add(to, r.of(r.counts, i))
	}
	// sum_hit: A is what the last window attends to with more than θ₂ on average, B what the quarter does.
	last, both := r.of(r.grouped[0], 0), r.of(r.grouped[1], 0)
	d.CombineScores(r.part, r.windows.Slice(r.windows.Len-heads*(n+r.z.Forced), r.windows.Len), engine.Array{}, heads, engine.ScoresTimes, 1)
	d.CountAbove(last, r.part, heads, float32(r.s.Summed*float64(r.s.Window)))
	for g := range 4 {
		r.add(r.of(r.results, generatedPart), r.of(r.quarters, g))
		d.CountAbove(r.part, r.of(r.quarters, g), heads, float32(r.s.Summed*float64(r.z.rowsOf(g))))
		r.multiply(r.part, r.mask(r.z.Windows-1), heads, 1)
		d.CombineScores(both, r.part, last, heads, engine.ScoresTimes, 1)
		d.HighestSums(r.summed.Slice(g*heads, (g+1)*heads), r.part, []int{n})
		d.HighestSums(r.summed.Slice((4+g)*heads, (5+g)*heads), both, []int{n})
	}
}

// bounds is the attention that the best sets of a cache head's size get, by cache head.
type bounds struct{ oracle, content []float32 }

// bound computes, for variants' cache heads, what the best sets of their sizes get: among all positions, and among content,
// as many as the kept positions that are content, which is by the number of cache heads. It is called after measure, for the
// same layer.
func (r *reduction) bound(variants []kept, caches map[int][]cacheHead) ([]bounds, error) {
	heads := r.h.Query
	for number, list := range caches {
		r.group(number)
		size := number * r.z.Tokens
		for i, k := range variants {
			if len(k.heads) == number {
				r.d.HighestSums(r.best.Slice(2*i*heads, 2*i*heads+number), r.grouped[0].Slice(0, size), k.counts())
				r.d.HighestSums(r.best.Slice((2*i+1)*heads, (2*i+1)*heads+number), r.grouped[1].Slice(0, size), k.within(list))
			}
		}
	}
	best, list := make([]float32, r.best.Len), make([]bounds, len(variants))
	r.d.Get(best, r.best)
	for i := range list {
		list[i] = bounds{best[2*i*heads : (2*i+1)*heads], best[(2*i+1)*heads : (2*i+2)*heads]}
	}
	return list, r.d.Sync()
}

// group adds up S over the query heads of so many cache heads: all of it in grouped[0], on content alone in grouped[1].
func (r *reduction) group(caches int) {
	d, size := r.d, caches*r.z.Tokens
	generated, content, room := r.grouped[0].Slice(0, size), r.grouped[1].Slice(0, size), r.grouped[2].Slice(0, size)
	group := engine.Heads{Query: r.h.Query, KV: caches, Size: r.h.Size}
	d.GroupScores(generated, r.of(r.results, generatedPart), group, engine.GroupMean)
	r.multiply(generated, engine.Array{}, caches, float32(group.Group()))
	// A position is content where it is no sink, 1 - [B > θs], and lies before the last window.
	d.GroupScores(content, r.of(r.results, seenPart), group, engine.GroupMean)
	r.multiply(content, r.weights, caches, 1)
	d.CountAbove(room, content, caches, float32(r.s.Sink))
	d.CombineScores(content, room, r.less, caches, engine.ScoresPlus, -1)
	r.multiply(content, r.mask(r.z.Windows-1), caches, 1)
	r.multiply(content, generated, caches, 1)
}

// distinct leaves out lists that are there already, and says for each which of them it is.
func distinct(lists [][]int) (different [][]int, which []int) {
	for _, l := range lists {
		i := slices.IndexFunc(different, func(d []int) bool { return slices.Equal(d, l) })
		if i < 0 {
			i, different = len(different), append(different, l)
		}
		which = append(which, i)
	}
	return different, which
}
