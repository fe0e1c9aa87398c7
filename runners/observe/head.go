package observe

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// head is what the attention of one query head adds up to. Every number of the studies is a masked sum of these.
type head struct {
	votes     [][]int32  // by window, ascending
	sink      []bool     // (n) B, the mean attention of the windows behind a position, the last one apart, is above θs
	generated []float32  // (n) S: attention of the forced text, summed over its rows
	all       float64    // the sum of S
	answered  []float64  // (n) the same as S over the answer's rows; 0 without spans
	counts    []counts   // (n)
	some      []int32    // the positions whose counts are not all 0, in any order
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

// image is a layer's results on the host, and what is made of them; another layer's may take its place.
type image struct {
	results, summed, highest []float32
	votes                    []int32
	heads                    []head
	caches                   map[int][]cacheHead // by their number
}

// take copies a layer's results, the highest attentions of so many sets of capacities among them.
func (m *image) take(r *reduction, sets int) {
	if m.results == nil {
		m.results, m.votes = make([]float32, r.results.Len), make([]int32, r.votes.Len)
		m.summed, m.highest = make([]float32, r.summed.Len), make([]float32, r.highest.Len)
		m.heads, m.caches = make([]head, r.h.Query), map[int][]cacheHead{}
		for h := range m.heads {
			n := r.z.Tokens
			m.heads[h] = head{sink: make([]bool, n), answered: make([]float64, n), counts: make([]counts, n)}
		}
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

// read takes a layer's results apart, its heads side by side.
func (m *image) read(r *reduction, sets int) {
	side(len(m.heads), func(h int) { m.heads[h].read(m, r, h, sets) })
}

func (x *head) read(m *image, r *reduction, h, sets int) {
	heads := r.h.Query
	x.votes = x.votes[:0]
	for i := range r.z.Windows {
		k := r.voteOf(i)
		x.votes = append(x.votes, m.votes[heads*r.voted(i)+h*k:][:k])
	}
	for j, sum := range m.part(r, seenPart, h) {
		x.sink[j] = float64(sum) > r.s.Sink*r.behind[j] && r.behind[j] > 0
	}
	x.generated, x.all = m.part(r, generatedPart, h), 0
	for _, a := range x.generated {
		x.all += float64(a)
	}
	x.readCounts(m, r, h)
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
}

// readCounts unpacks the counts. Nearly everywhere there are none.
func (x *head) readCounts(m *image, r *reduction, h int) {
	for _, j := range x.some {
		x.counts[j] = counts{}
	}
	x.some = x.some[:0]
	base := uint32(r.base)
	for p := range r.packs() {
		end := min(countsEach, (p+1)*r.digits)
		for j, packed := range m.part(r, countsPart+p, h) {
			if packed == 0 {
				continue
			}
			c := &x.counts[j]
			if *c == (counts{}) {
				x.some = append(x.some, int32(j))
			}
			v := uint32(packed)
			for i := p * r.digits; i < end; i++ {
				if i < 4 {
					c.important[i] = uint16(v % base)
				} else {
					c.content[i-4] = uint16(v % base)
				}
				v /= base
			}
		}
	}
}

// cacheHead is what the query heads of one cache head add up to.
type cacheHead struct {
	generated []float64 // (n) S, summed
	content   []bool    // (n) by the heads' mean B
	all, on   float64   // S over all positions, and over content
}

// contentOf says of each of so many cache heads which positions are content.
func (m *image) contentOf(r *reduction, caches int) {
	if m.caches[caches] == nil {
		list := make([]cacheHead, caches)
		for c := range list {
			list[c] = cacheHead{generated: make([]float64, r.z.Tokens), content: make([]bool, r.z.Tokens)}
		}
		m.caches[caches] = list
	}
	group := r.h.Query / caches
	most := r.s.Sink * float64(group)
	side(caches, func(c int) {
		members := make([][]float32, group)
		for i := range members {
			members[i] = m.part(r, seenPart, c*group+i)
		}
		content := m.caches[caches][c].content
		for j := range r.z.Prompt {
			sum := 0.0
			for _, seen := range members {
				sum += float64(seen[j])
			}
			content[j] = r.behind[j] == 0 || !(sum > most*r.behind[j])
		}
	})
}

// group adds up the query heads of each cache head.
func (m *image) group() {
	for caches, list := range m.caches {
		group := len(m.heads) / caches
		side(caches, func(c int) {
			x := &list[c]
			clear(x.generated)
			for _, member := range m.heads[c*group : (c+1)*group] {
				for j, a := range member.generated {
					x.generated[j] += float64(a)
				}
			}
			x.all, x.on = 0, 0
			for j, a := range x.generated {
				if x.all += a; x.content[j] {
					x.on += a
				}
			}
		})
	}
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
