package observe

import "slices"

// head is what the attention of one query head adds up to. Every number of the studies is a masked sum of these.
type head struct {
	votes     [][]int32    // by window, ascending
	sums      []float64    // (P) attention of the last window's rows, summed
	seen      []float64    // (n) B: mean attention of the windows behind a position, the last one apart
	sink      []bool       // (n) B is above the settings' threshold
	generated []float64    // (n) S: attention of the forced text, summed over its rows
	answered  []float64    // (n) the same over the answer's rows
	quarters  [4][]float64 // (n) the same by quarter
	important [4][]int32   // (n) rows of a quarter whose attention is above θ
	content   [4][]int32   // (n) the same above θc
	highest   []float64    // by capacity asked for: Σ over rows of that row's own highest attentions, j < n
}

// material is what heads are measured from: one layer's queries and keys on the host.
type material struct {
	queries      []float32 // (rows, heads, d): the positions from first on
	first        int
	keys         []float32 // (KV heads, n+T, d)
	heads, group int
	size, tokens int // d, n+T
	window       int // the layer's sliding window, 0 for none
	scale        float64
}

func (m material) query(position, h int) []float32 {
	at := ((position-m.first)*m.heads + h) * m.size
	return m.queries[at : at+m.size]
}

// measure computes one head's rows, one at a time. capacities are those whose highest attentions are asked for.
func measure(m material, h int, s Settings, z Sizes, answer int, capacities []int) head {
	n := z.Tokens
	keys := m.keys[h/m.group*m.tokens*m.size : (h/m.group+1)*m.tokens*m.size]
	row := make([]float64, m.tokens)
	attended := func(position int) []float64 {
		attend(row, m.query(position, h), keys, position, m.window, m.scale)
		return row
	}
	x := head{seen: make([]float64, n), sink: make([]bool, n), generated: make([]float64, n), answered: make([]float64, n)}
	windows := make([]int, n) // by position: those behind it, the last one apart
	for i := range z.Windows {
		start := z.start(i, s)
		sums := make([]float64, start)
		for r := start; r < start+s.Window; r++ {
			for j, a := range attended(r)[:start] {
				sums[j] += a
			}
		}
		x.votes = append(x.votes, top(sums, z.Vote))
		if i == z.Windows-1 {
			x.sums = sums
			continue
		}
		for j, a := range sums {
			x.seen[j] += a
			windows[j]++
		}
	}
	for j, w := range windows {
		if w > 0 {
			x.seen[j] /= float64(s.Window * w)
		}
		x.sink[j] = x.seen[j] > s.Sink
	}
	x.highest = make([]float64, len(capacities))
	for g := range x.quarters {
		x.quarters[g], x.important[g], x.content[g] = make([]float64, n), make([]int32, n), make([]int32, n)
	}
	sorted := make([]float64, n)
	for t := range z.Forced {
		g := z.quarter(t)
		for j, a := range attended(n + t)[:n] {
			x.generated[j] += a
			x.quarters[g][j] += a
			if t < answer {
				x.answered[j] += a
			}
			if a > s.Important {
				x.important[g][j]++
			}
			if a > s.Content {
				x.content[g][j]++
			}
		}
		if len(capacities) > 0 {
			copy(sorted, row)
			slices.Sort(sorted)
			for c, capacity := range capacities {
				for _, a := range sorted[n-min(capacity, n):] {
					x.highest[c] += a
				}
			}
		}
	}
	return x
}

// contentRows is the number of rows, of the whole forced text, whose attention to a position is above θc.
func (x head) contentRows(j int) (rows int) {
	for g := range x.content {
		rows += int(x.content[g][j])
	}
	return rows
}
