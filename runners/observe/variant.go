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

// add counts one layer.
func (v *Variant) add(heads []head, k kept, l Layer, spans map[string]Span, z Sizes, s Settings, index int) {
	group := len(heads) / len(k.heads)
	var hits, important, contentHits int
	var captured, oracle, content, contentOracle []Share
	var stream, step []float64
	for c, keep := range k.heads {
		v.Cap = max(v.Cap, len(keep))
		members := heads[c*group : (c+1)*group]
		generated, sink := grouped(members, s)
		all := 0.0
		for _, a := range generated {
			all += a
		}
		first := firstAndLast(z.Tokens, len(keep))
		captured = append(captured, ratio(total(generated, keep), all))
		oracle = append(oracle, ratio(total(generated, top(generated, len(keep))), all))
		stream = append(stream, float64(ratio(total(generated, first), all)))
		isContent := func(j int32) bool { return int(j) < z.Prompt && !sink[j] }
		masked, best := make([]float64, z.Tokens), []float64{}
		for j, a := range generated {
			if isContent(int32(j)) {
				masked[j] = a
				best = append(best, a)
			}
		}
		both := 0
		for _, j := range keep {
			if isContent(j) {
				both++
			}
		}
		onContent, onKept := 0.0, total(masked, keep)
		for _, a := range best {
			onContent += a
		}
		onBest := total(best, top(best, both))
		content = append(content, ratio(onKept, onContent))
		contentOracle = append(contentOracle, ratio(onBest, onContent))
		v.sums.content, v.sums.kept = v.sums.content+onContent, v.sums.kept+onKept
		v.sums.oracle, v.sums.stream = v.sums.oracle+onBest, v.sums.stream+total(masked, first)
		for _, x := range members {
			onPrompt := 0.0
			for _, a := range x.generated {
				onPrompt += a
			}
			step = append(step, float64(ratio(x.highest[index], onPrompt)))
			before := z.Tokens - k.window
			for g := range x.important {
				for j := range before {
					important += int(x.important[g][j])
				}
			}
			for _, j := range keep {
				if int(j) < before {
					for g := range x.important {
						hits += int(x.important[g][j])
					}
				}
				if int(j) < z.Prompt && !x.sink[j] {
					contentHits += x.contentRows(int(j))
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

// grouped adds up what the query heads of one cache head attend to, and says which positions are sinks by their mean.
func grouped(members []head, s Settings) (generated []float64, sink []bool) {
	n := len(members[0].generated)
	generated, sink = make([]float64, n), make([]bool, n)
	for j := range n {
		seen := 0.0
		for _, x := range members {
			generated[j] += x.generated[j]
			seen += x.seen[j]
		}
		sink[j] = seen/float64(len(members)) > s.Sink
	}
	return generated, sink
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
