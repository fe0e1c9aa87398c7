package observe

import (
	"fmt"
	"math"
	"slices"

	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/models"
)

// rowBytes is about the most memory that rows of the forced text take at a time.
const rowBytes = 256 << 20

// parts of a layer's results, each (heads, n), in the order in which they lie in memory. Those of quarters are four.
const (
	lastPart      = 0  // attention of the last window's rows, summed
	seenPart      = 1  // that of the windows behind a position, the last one apart, summed
	quarterPart   = 2  // attention of a quarter's rows, summed
	importantPart = 6  // rows of a quarter whose attention is above θ
	contentPart   = 10 // the same above θc
	answeredPart  = 14 // attention of the answer's rows, summed; only where there are spans
	allParts      = 15
)

// reduction computes on the device what is counted, one layer at a time: it has the queries of the prompt's windows and of
// the forced text, and the full cache's keys. Attention is held for some rows of the forced text at a time, rows × n; what
// leaves the device is (heads, n), summed over rows.
type reduction struct {
	d      engine.Device
	h      engine.Heads
	s      Settings
	z      Sizes
	scale  float32
	answer int // rows that produce the answer, 0 where there are no spans
	// rows of the forced text that go through together: of one quarter, and before or behind the answer's end
	segments [][2]int
	behind   []float64 // by position: W times the windows behind it, the last one apart

	prompt engine.Array // (layers, NW·W, heads, d) queries
	forced engine.Array // (layers, T, heads, d)

	masks   engine.Array // (NW, n): 1 before the window, else 0. The last is that of the prompt's content
	weights engine.Array // (n): what makes means of sums over windows
	less    engine.Array // (n): -1
	sums    engine.Array // (heads, n+T)
	windows engine.Array // (NW, heads, n)
	votes   engine.Array // Int32 (NW, heads, up to k)
	results engine.Array // (parts, heads, n)
	part    engine.Array // (heads, n)
	rows    engine.Array // (heads, some rows, n)
	highest engine.Array // (sets of capacities, heads·T)
	grouped [3]engine.Array
	best    engine.Array // (heads)

	held []engine.Array
	err  error
}

func newReduction(m *models.Model, s Settings, z Sizes) *reduction {
	r := &reduction{d: m.Device(), h: m.Heads, s: s, z: z, scale: float32(1 / math.Sqrt(float64(m.Heads.Size)))}
	width := m.QueryWidth()
	r.prompt = r.array(r.d.Type(), m.Layers*z.Windows*s.Window*width)
	r.forced = r.array(r.d.Type(), m.Layers*z.Forced*width)
	return r
}

// array takes memory, unless there was none before.
func (r *reduction) array(t engine.Type, n int) engine.Array {
	if r.err != nil {
		return engine.Array{}
	}
	a, err := r.d.New(t, n)
	if err != nil {
		r.err = err
		return a
	}
	r.held = append(r.held, a)
	return a
}

func (r *reduction) free() { r.d.Free(r.held...) }

// holdPrompt copies a block's queries, positions from start on, that are a window's.
func (r *reduction) holdPrompt(layer, start int, q engine.Array) {
	width, rows := r.h.Query*r.h.Size, r.z.Windows*r.s.Window
	first := r.z.start(0, r.s)
	skip, at := max(0, first-start), max(0, start-first)
	if n := q.Len/width - skip; n > 0 {
		r.d.Copy(r.prompt.Slice((layer*rows+at)*width, (layer*rows+at+n)*width), q.Slice(skip*width, q.Len))
	}
}

// holdForced copies a step's queries, (layers, heads, d), of row t.
func (r *reduction) holdForced(t int, step engine.Array) {
	width := r.h.Query * r.h.Size
	for layer := range step.Len / width {
		at := layer*r.z.Forced + t
		r.d.Copy(r.forced.Slice(at*width, (at+1)*width), step.Slice(layer*width, (layer+1)*width))
	}
}

// open takes the memory for a layer.
func (r *reduction) open(answer, capacities int) error {
	z, n, heads := r.z, r.z.Tokens, r.h.Query
	r.answer = answer
	parts := allParts
	if answer == 0 {
		parts = answeredPart
	}
	r.masks, r.weights, r.less = r.array(engine.Float32, z.Windows*n), r.array(engine.Float32, n), r.array(engine.Float32, n)
	r.sums, r.part = r.array(engine.Float32, heads*(n+z.Forced)), r.array(engine.Float32, heads*n)
	r.windows, r.votes = r.array(engine.Float32, z.Windows*heads*n), r.array(engine.Int32, heads*r.voted(z.Windows))
	r.results = r.array(engine.Float32, parts*heads*n)
	r.rows = r.array(engine.Float32, heads*n*min(z.Forced, max(1, rowBytes/(4*heads*n))))
	r.highest = r.array(engine.Float32, max(1, capacities)*heads*z.Forced)
	for i := range r.grouped {
		r.grouped[i] = r.array(engine.Float32, heads*n)
	}
	r.best = r.array(engine.Float32, heads)
	if r.err != nil {
		return r.err
	}
	most := r.rows.Len / (heads * n)
	for t := 0; t < z.Forced; {
		end := t + 1
		for end < z.Forced && end-t < most && z.quarter(end) == z.quarter(t) && end != answer {
			end++
		}
		r.segments = append(r.segments, [2]int{t, end})
		t = end
	}
	masks, weights := make([]float32, z.Windows*n), make([]float32, n)
	for i := range z.Windows {
		for j := range z.start(i, r.s) {
			masks[i*n+j] = 1
		}
	}
	r.behind = make([]float64, n)
	for j := range weights {
		if r.behind[j] = float64(z.behind(j, r.s) * r.s.Window); r.behind[j] > 0 {
			weights[j] = float32(1 / r.behind[j])
		}
	}
	r.d.Put(r.masks, masks)
	r.d.Put(r.weights, weights)
	r.fill(r.less, -1)
	return r.d.Sync()
}

// fill sets all of a's numbers.
func (r *reduction) fill(a engine.Array, value float32) {
	r.d.CombineScores(a, engine.Array{}, engine.Array{}, 1, engine.ScoresTimes, value)
}

// add adds b to a, both (heads, n), or to what there is in that many rows.
func (r *reduction) add(a, b engine.Array) {
	r.d.CombineScores(a, a, b, r.h.Query, engine.ScoresPlus, 1)
}

// result is a part of the results.
func (r *reduction) result(part int) engine.Array {
	size := r.h.Query * r.z.Tokens
	return r.results.Slice(part*size, (part+1)*size)
}

// voteOf is the number of positions that window i votes for, voted that of all windows before it.
func (r *reduction) voteOf(i int) int { return min(r.z.Vote, r.z.start(i, r.s)) }
func (r *reduction) voted(i int) (sum int) {
	for w := range i {
		sum += r.voteOf(w)
	}
	return sum
}

// measure computes a layer from the full cache's keys, and brings back its heads; capacities are those, by query head, whose
// rows' highest attentions are asked for.
func (r *reduction) measure(layer int, c engine.Cache, window int, capacities [][]int, into *image) error {
	kv, err := whole(c, r.z.Tokens+r.z.Forced, r.h.KV)
	if err != nil {
		return err
	}
	r.fill(r.results, 0)
	r.sumWindows(layer, kv, window)
	r.sumForced(layer, kv, window, capacities)
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
func (r *reduction) sumWindows(layer int, kv engine.KV, window int) {
	d, n, heads, width := r.d, r.z.Tokens, r.h.Query, r.h.Query*r.h.Size
	var selections []engine.Selection
	for i := range r.z.Windows {
		at := (layer*r.z.Windows + i) * r.s.Window
		q := r.prompt.Slice(at*width, (at+r.s.Window)*width)
		sums, vote := r.windows.Slice(i*heads*n, (i+1)*heads*n), heads*r.voted(i)
		r.fill(r.sums, 0)
		d.ColumnSums(r.sums, q, kv, r.z.start(i, r.s), r.h, window, r.scale)
		d.CombineScores(sums, r.sums, r.masks.Slice(i*n, (i+1)*n), heads, engine.ScoresTimes, 1)
		selections = append(selections, engine.Selection{Scores: sums, Rows: heads, Count: r.voteOf(i), Dst: r.votes.Slice(vote, vote+heads*r.voteOf(i))})
		if i < r.z.Windows-1 {
			r.add(r.result(seenPart), sums)
		} else {
			d.Copy(r.result(lastPart), sums)
		}
	}
	d.Select(selections)
}

// sumForced adds up and counts the rows of the forced text, a segment at a time.
func (r *reduction) sumForced(layer int, kv engine.KV, window int, capacities [][]int) {
	d, z, n, heads, width := r.d, r.z, r.z.Tokens, r.h.Query, r.h.Query*r.h.Size
	for _, segment := range r.segments {
		t, end := segment[0], segment[1]
		g, count := z.quarter(t), end-t
		rows, at := r.rows.Slice(0, heads*count*n), layer*z.Forced+t
		d.AttentionRows(rows, r.forced.Slice(at*width, (at+count)*width), kv, n+t, r.h, window, r.scale)
		d.GroupScores(r.part, rows, engine.Heads{Query: heads * count, KV: heads, Size: r.h.Size}, engine.GroupMean)
		d.CombineScores(r.part, r.part, engine.Array{}, heads, engine.ScoresTimes, float32(count))
		r.add(r.result(quarterPart+g), r.part)
		if t < r.answer {
			r.add(r.result(answeredPart), r.part)
		}
		d.CountAbove(r.part, rows, heads, float32(r.s.Important))
		r.add(r.result(importantPart+g), r.part)
		d.CountAbove(r.part, rows, heads, float32(r.s.Content))
		r.add(r.result(contentPart+g), r.part)
		for i, counts := range capacities {
			d.HighestSums(r.highest.Slice((i*z.Forced+t)*heads, (i*z.Forced+end)*heads), rows, counts)
		}
	}
}

// bounds is the attention that the best sets of a cache head's size get, by cache head.
type bounds struct{ oracle, content []float32 }

// bound computes, for cache heads that keep so many positions, kept of them content, what the best sets of those sizes
// get: among all positions, and among content. It is called after measure, for the same layer.
func (r *reduction) bound(caches int, counts, kept []int) (bounds, error) {
	d, n := r.d, r.z.Tokens
	size := caches * n
	generated, content, room := r.grouped[0].Slice(0, size), r.grouped[1].Slice(0, size), r.grouped[2].Slice(0, size)
	group := engine.Heads{Query: r.h.Query, KV: caches, Size: r.h.Size}
	d.Copy(r.part, r.result(quarterPart))
	for g := 1; g < 4; g++ {
		r.add(r.part, r.result(quarterPart+g))
	}
	d.GroupScores(generated, r.part, group, engine.GroupMean)
	d.CombineScores(generated, generated, engine.Array{}, caches, engine.ScoresTimes, float32(group.Group()))
	// A position is content where it is no sink, 1 - [B > θs], and lies before the last window.
	d.GroupScores(content, r.result(seenPart), group, engine.GroupMean)
	d.CombineScores(content, content, r.weights, caches, engine.ScoresTimes, 1)
	d.CountAbove(room, content, caches, float32(r.s.Sink))
	d.CombineScores(content, room, r.less, caches, engine.ScoresPlus, -1)
	d.CombineScores(content, content, r.masks.Slice(r.masks.Len-n, r.masks.Len), caches, engine.ScoresTimes, 1)
	d.CombineScores(content, content, generated, caches, engine.ScoresTimes, 1)
	out := bounds{make([]float32, caches), make([]float32, caches)}
	best := r.best.Slice(0, caches)
	d.HighestSums(best, generated, counts)
	d.Get(out.oracle, best)
	d.HighestSums(best, content, kept)
	d.Get(out.content, best)
	return out, d.Sync()
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
