package observe

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// head is what the attention of one query head adds up to. Every number of the studies is a masked sum of these.
type head struct {
	votes     [][]int32  // by window, ascending
	seen      []float64  // (n) B: mean attention of the windows behind a position, the last one apart
	sink      []bool     // (n) B is above the settings' threshold
	generated []float32  // (n) S: attention of the forced text, summed over its rows
	answered  []float64  // (n) the same over the answer's rows; 0 without spans
	counts    []counts   // (n)
	before    []int      // (n+1) counts of important rows, added up over the positions before each
	sumHit    [4]float64 // |A∩B|/|B| by quarter, NaN where B is empty
	highest   []float64  // by set of capacities: Σ over rows of that row's own highest attentions, j < n
}

// counts are the rows of each quarter whose attention to a position is above θ, and above θc.
type counts struct{ important, content [4]uint16 }

// rows is the number of those of content, of the whole forced text.
func (c counts) rows() int { return all(c.content) }

func all(quarters [4]uint16) (sum int) {
	for _, rows := range quarters {
		sum += int(rows)
	}
	return sum
}

// image is a layer's results on the host.
type image struct {
	results, summed, highest []float32
	votes                    []int32
}

// take copies a layer's results, the highest attentions of so many sets of capacities among them.
func (m *image) take(r *reduction, sets int) {
	if m.results == nil {
		m.results, m.votes = make([]float32, r.results.Len), make([]int32, r.votes.Len)
		m.summed, m.highest = make([]float32, r.summed.Len), make([]float32, r.highest.Len)
	}
	r.d.Get(m.results, r.results)
	r.d.GetInts(m.votes, r.votes)
	r.d.Get(m.summed, r.summed)
	n := sets * r.h.Query * r.z.Forced
	r.d.Get(m.highest[:n], r.highest.Slice(0, n))
}

// part is a head's numbers of a part of the results.
func (m *image) part(r *reduction, i, h int) []float32 {
	n := r.z.Tokens
	return m.results[(i*r.h.Query+h)*n:][:n]
}

// headsOf takes a layer's results apart.
func (r *reduction) headsOf(m *image, sets int) []head {
	heads := make([]head, r.h.Query)
	side(len(heads), func(h int) { heads[h] = r.headOf(m, h, sets) })
	return heads
}

func (r *reduction) headOf(m *image, h, sets int) head {
	n, heads := r.z.Tokens, r.h.Query
	x := head{generated: m.part(r, generatedPart, h), counts: make([]counts, n), before: make([]int, n+1)}
	x.seen, x.sink, x.answered = make([]float64, n), make([]bool, n), make([]float64, n)
	for i := range r.z.Windows {
		k := r.voteOf(i)
		x.votes = append(x.votes, m.votes[heads*r.voted(i)+h*k:][:k])
	}
	for j, sum := range m.part(r, seenPart, h) {
		if r.behind[j] > 0 {
			x.seen[j] = float64(sum) / r.behind[j]
			x.sink[j] = x.seen[j] > r.s.Sink
		}
	}
	base := uint32(r.base)
	for p := range r.packs() {
		digits := min(r.digits, countsEach-p*r.digits)
		for j, packed := range m.part(r, countsPart+p, h) {
			if packed == 0 {
				continue // as nearly everywhere
			}
			c := &x.counts[j]
			for v, i := uint32(packed), p*r.digits; i < p*r.digits+digits; v, i = v/base, i+1 {
				if i < 4 {
					c.important[i] = uint16(v % base)
				} else {
					c.content[i-4] = uint16(v % base)
				}
			}
		}
	}
	for j := range n {
		x.before[j+1] = x.before[j] + all(x.counts[j].important)
	}
	for g := range x.sumHit {
		x.sumHit[g] = float64(ratio(float64(m.summed[(4+g)*heads+h]), float64(m.summed[g*heads+h])))
	}
	if r.answer > 0 {
		for j, a := range m.part(r, r.answeredPart(), h) {
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
	list, group := make([][]bool, caches), r.h.Query/caches
	side(caches, func(c int) {
		sums, content := make([]float64, r.z.Prompt), make([]bool, r.z.Tokens)
		for h := c * group; h < (c+1)*group; h++ {
			for j, sum := range m.part(r, seenPart, h)[:r.z.Prompt] {
				sums[j] += float64(sum)
			}
		}
		most := r.s.Sink * float64(group)
		for j, sum := range sums {
			content[j] = r.behind[j] == 0 || !(sum > most*r.behind[j])
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
				x.generated[j] += float64(a)
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
