// Package evidence says what caches keep of passages of a prompt, such as the value that is asked for, and of the attention
// that the answer pays to them: why an answer was lost. Layers are added one after the other to a [Sum], whose [Kept] is the
// result. Studies of attention and audits of runs both count by it.
package evidence

import (
	"math"
	"slices"
)

// Span is a half-open range of prompt positions, such as those of a needle.
type Span [2]int

// Size is the number of positions.
func (s Span) Size() int { return s[1] - s[0] }

// Kept says what of some positions a variant keeps, over all layers and cache heads.
type Kept struct {
	// Retention is the mean over layers and heads of the part that is kept.
	Retention Share `json:"retention"`
	// GERLayers is the mean over layers of the part that no head of the layer keeps, GERModel the part that no head of any
	// layer does: the global eviction ratio of arXiv 2603.01426, which leaves open over which heads it is.
	GERLayers  Share `json:"ger_layers"`
	GERModel   Share `json:"ger_model"`
	GoneLayers int   `json:"gone_layers"` // layers in which no head keeps any of it
	WholeHeads int   `json:"whole_heads"` // heads, of all layers, that keep all of it
	// Rho is, by position, the part of the answer's attention to it that goes to heads which kept it. It is ours.
	Rho []Share `json:"rho"`
}

// Any is the mean over layers of the part that some head of the layer keeps.
func (k Kept) Any() Share { return 1 - k.GERLayers }

// Least is the lowest of Rho, NaN where a position gets no attention at all.
func (k Kept) Least() Share {
	least := Share(math.NaN())
	for i, r := range k.Rho {
		if math.IsNaN(float64(r)) {
			return r
		}
		if i == 0 || r < least {
			least = r
		}
	}
	return least
}

// Sum counts positions while layers are added.
type Sum struct {
	size      int
	retention []float64 // by layer and head
	missing   []float64 // by layer
	ever      []bool    // by position: some head keeps it
	whole     int
	gone      int
	kept, all []float64 // by position: the answer's attention
}

// NewSum counts so many positions.
func NewSum(size int) *Sum {
	return &Sum{size: size, ever: make([]bool, size), kept: make([]float64, size), all: make([]float64, size)}
}

// Held says which positions of spans, one span after the other, are among those that a head keeps, ascending.
func Held(spans []Span, keep []int32) []bool {
	var held []bool
	for _, s := range spans {
		from := len(held)
		held = append(held, make([]bool, s.Size())...)
		first, _ := slices.BinarySearch(keep, int32(s[0]))
		for _, j := range keep[first:] {
			if int(j) >= s[1] {
				break
			}
			held[from+int(j)-s[0]] = true
		}
	}
	return held
}

// Add counts a layer. held is, by cache head, what [Held] gives; attention is, by query head, the attention of the answer's
// rows to each position, summed over the rows, nil where it is not known. It returns how much each head keeps, and how much
// at least one does.
func (s *Sum) Add(held [][]bool, attention [][]float64) (counts []int, any int) {
	some := make([]bool, s.size)
	for c, holds := range held {
		count := 0
		for i, h := range holds {
			if h {
				some[i], s.ever[i] = true, true
				count++
			}
		}
		counts = append(counts, count)
		s.retention = append(s.retention, float64(count)/float64(s.size))
		if count == s.size {
			s.whole++
		}
		group := len(attention) / len(held)
		for _, paid := range attention[c*group : (c+1)*group] {
			for i, a := range paid {
				s.all[i] += a
				if holds[i] {
					s.kept[i] += a
				}
			}
		}
	}
	for _, x := range some {
		if x {
			any++
		}
	}
	if any == 0 {
		s.gone++
	}
	s.missing = append(s.missing, 1-float64(any)/float64(s.size))
	return counts, any
}

// Kept is what was counted.
func (s *Sum) Kept() Kept {
	never := 0
	k := Kept{Retention: Mean(s.retention), GERLayers: Mean(s.missing), GoneLayers: s.gone, WholeHeads: s.whole}
	for i, kept := range s.kept {
		k.Rho = append(k.Rho, Ratio(kept, s.all[i]))
		if !s.ever[i] {
			never++
		}
	}
	k.GERModel = Ratio(float64(never), float64(s.size))
	return k
}

// Attention is the answer's attention to a position, the mean over positions.
func (s *Sum) Attention() float64 { return float64(Mean(s.all)) }

// Union is the positions of spans, each once, ascending.
func Union(spans []Span) (list []Span) {
	sorted := slices.SortedFunc(slices.Values(spans), func(a, b Span) int { return a[0] - b[0] })
	for _, s := range sorted {
		if n := len(list); n > 0 && s[0] <= list[n-1][1] {
			list[n-1][1] = max(list[n-1][1], s[1])
			continue
		}
		list = append(list, s)
	}
	return list
}

// Size is the number of positions of spans that share none.
func Size(spans []Span) (n int) {
	for _, s := range spans {
		n += s.Size()
	}
	return n
}

// Within is where the positions of a span are in a list of those of spans that share none and hold it.
func Within(spans []Span, part Span) Span {
	at := 0
	for _, s := range spans {
		if part[0] >= s[0] && part[1] <= s[1] {
			return Span{at + part[0] - s[0], at + part[1] - s[0]}
		}
		at += s.Size()
	}
	panic("evidence: a span that is in none of the others")
}
