package observe

import (
	"slices"

	"github.com/snapbench/snapbench/runners/evidence"
)

// Variant is what one variant keeps of the generation's attention, by layer (study 6), and of marked spans (study 5).
// A cache head is a query head where each keeps a copy of its own, else the KV head of its group.
type Variant struct {
	Cap int `json:"cap"` // the most positions that a cache head keeps
	// Hits and Important are Layer's counts with the kept positions in the place of a vote, over the positions before the
	// policy's own window, which it always keeps; ContentHits is held against the layer's ContentImportant.
	Hits        []int `json:"hits"`
	Important   []int `json:"important"`
	ContentHits []int `json:"c_hits"`
	// Captured is the part of the forced text's attention on the prompt that falls on kept positions, by layer and cache
	// head; Oracle that of the best set of the same size, chosen with the answer known. Content and ContentOracle are the
	// same over content alone.
	Captured      [][]Share `json:"captured"`
	Oracle        [][]Share `json:"oracle"`
	Content       [][]Share `json:"content"`
	ContentOracle [][]Share `json:"content_oracle"`
	Stream        []Share   `json:"stream"` // the first 4 positions and the last Cap-4, the mean over cache heads
	Step          []Share   `json:"step"`   // the best set chosen anew for every row, the mean over query heads
	// Spans and Any are, by span and layer, how much of it each cache head keeps, and how much at least one does.
	Spans   map[string][][]int `json:"spans"`
	Any     map[string][]int   `json:"any"`
	Summary Summary            `json:"summary"`

	sums sums
}

// Summary is a variant over all layers and heads: Captured, Oracle, Stream and Step as means, all others as ratios of
// sums over everything.
type Summary struct {
	Hit           Share               `json:"hit"`
	ContentHit    Share               `json:"c_hit"`
	Captured      Share               `json:"captured"`
	Oracle        Share               `json:"oracle"`
	Content       Share               `json:"content"`
	ContentOracle Share               `json:"content_oracle"`
	ContentStream Share               `json:"content_stream"`
	Stream        Share               `json:"stream"`
	Step          Share               `json:"step"`
	Evidence      map[string]Evidence `json:"evidence,omitempty"`
}

// sums are a variant's totals while layers are added.
type sums struct {
	content, kept, oracle, stream float64 // attention on content: all, and what falls on each set
	spans                         map[string]*evidence.Sum
}

// kept is what a variant keeps in one layer, and of which policy's window.
type kept struct {
	heads  [][]int32 // by cache head, ascending
	window int       // w, rows that the policy keeps whatever they score; 0 for none
}

// counts is how many positions each cache head keeps.
func (k kept) counts() (list []int) {
	for _, keep := range k.heads {
		list = append(list, len(keep))
	}
	return list
}

// capacities is the same by query head.
func (k kept) capacities(heads int) (list []int) {
	for h := range heads {
		list = append(list, len(k.heads[h*len(k.heads)/heads]))
	}
	return list
}

// within is how many of them are content.
func (k kept) within(caches []cacheHead) (list []int) {
	for c, keep := range k.heads {
		both := 0
		for _, j := range keep {
			if caches[c].content[j] {
				both++
			}
		}
		list = append(list, both)
	}
	return list
}

// add counts one layer; caches and best are those of its cache heads, set is the place of its capacities in the heads'
// highest attentions.
func (v *Variant) add(heads []head, caches []cacheHead, best bounds, k kept, set int, spans map[string]Span, z Sizes) {
	group := len(heads) / len(k.heads)
	var hits, important, contentHits int
	var captured, oracle, content, contentOracle []Share
	var stream, step []float64
	for c, keep := range k.heads {
		v.Cap = max(v.Cap, len(keep))
		x, on := caches[c], caches[c].on
		first := firstAndLast(z.Tokens, len(keep))
		sum := total(x.generated, keep)
		captured = append(captured, ratio(sum, x.all))
		oracle = append(oracle, ratio(between(sum, float64(best.oracle[c]), x.all), x.all))
		stream = append(stream, float64(ratio(total(x.generated, first), x.all)))
		onKept := x.contentOf(keep)
		onBest := between(onKept, float64(best.content[c]), on)
		content, contentOracle = append(content, ratio(onKept, on)), append(contentOracle, ratio(onBest, on))
		v.sums.content, v.sums.kept = v.sums.content+on, v.sums.kept+onKept
		v.sums.oracle, v.sums.stream = v.sums.oracle+onBest, v.sums.stream+x.contentOf(first)
		before := z.Tokens - k.window
		for _, x := range heads[c*group : (c+1)*group] {
			step = append(step, float64(ratio(min(x.highest[set], x.all), x.all)))
			for _, j := range x.some {
				if int(j) < before {
					important += all(x.counts[j].important)
				}
			}
			for _, j := range keep {
				if int(j) < before {
					hits += all(x.counts[j].important)
				}
				if int(j) < z.Prompt && !x.sink[j] {
					contentHits += x.counts[j].rows()
				}
			}
		}
	}
	v.Hits, v.Important, v.ContentHits = append(v.Hits, hits), append(v.Important, important), append(v.ContentHits, contentHits)
	v.Captured, v.Oracle = append(v.Captured, captured), append(v.Oracle, oracle)
	v.Content, v.ContentOracle = append(v.Content, content), append(v.ContentOracle, contentOracle)
	v.Stream, v.Step = append(v.Stream, mean(stream)), append(v.Step, mean(step))
	v.evidence(heads, k, spans)
}

// between is what the device added up, in float32, where the host's sums leave room for it.
func between(least, sum, most float64) float64 { return min(max(least, sum), most) }

// contentOf is the attention to those of the positions that are content.
func (x cacheHead) contentOf(at []int32) float64 {
	sum := 0.0
	for _, j := range at {
		if x.content[j] {
			sum += x.generated[j]
		}
	}
	return sum
}

// firstAndLast are the positions of a cache of so many that holds the first 4 and the last ones (StreamingLLM, arXiv
// 2309.17453).
func firstAndLast(n, capacity int) []int32 {
	var list []int32
	for j := range min(4, capacity) {
		list = append(list, int32(j))
	}
	for j := max(n-(capacity-len(list)), len(list)); j < n; j++ {
		list = append(list, int32(j))
	}
	return list
}

// summarize fills the summary from what the layers gave.
func (v *Variant) summarize(layers []Layer, spans map[string]Span) {
	add := func(list []int) (sum float64) {
		for _, x := range list {
			sum += float64(x)
		}
		return sum
	}
	contentImportant := 0.0
	for _, l := range layers {
		contentImportant += float64(l.ContentImportant)
	}
	v.Summary = Summary{
		Hit: ratio(add(v.Hits), add(v.Important)), ContentHit: ratio(add(v.ContentHits), contentImportant),
		Captured: mean(flat(slices.Concat(v.Captured...))), Oracle: mean(flat(slices.Concat(v.Oracle...))),
		Content: ratio(v.sums.kept, v.sums.content), ContentOracle: ratio(v.sums.oracle, v.sums.content),
		ContentStream: ratio(v.sums.stream, v.sums.content), Stream: mean(flat(v.Stream)), Step: mean(flat(v.Step)),
		Evidence: v.audit(spans),
	}
}

func flat(list []Share) []float64 {
	out := make([]float64, len(list))
	for i, x := range list {
		out[i] = float64(x)
	}
	return out
}
