package observe

// Layer is what studies 1 and 2 count in one layer, over all its query heads (paper §3, Fig. 2 and 3; the hit rate is
// Eq. 4–8 of §4). A hit rate is a ratio of these counts, never a mean of ratios.
type Layer struct {
	// Important counts, by quarter of the forced text, the attentions above θ to positions before the last window.
	Important [4]int `json:"important"`
	// Hits counts those of them that a window voted for, by window and quarter.
	Hits [][4]int `json:"hits"`
	// ContentImportant and ContentHits are the same for content alone, above θc, over the whole forced text.
	ContentImportant int   `json:"c_important"`
	ContentHits      []int `json:"c_hits"`
	// ContentSeen and ContentSeenHits leave out, for each window, what lies behind its first row: it could not see that.
	ContentSeen     []int `json:"c_important_seen"`
	ContentSeenHits []int `json:"c_hits_seen"`
	// ContentQuarters and ContentQuarterHits are ContentImportant and the last window's ContentHits by quarter.
	ContentQuarters    [4]int `json:"c_important_by_quarter"`
	ContentQuarterHits [4]int `json:"c_hits_by_quarter"`
	// SumHit is the authors' earlier form, from sums alone, by quarter: the mean over heads of |A∩B|/|B|, A what the last
	// window attends to with more than θ₂ on average, B what the quarter does.
	SumHit [4]Share `json:"sum_hit"`
	// PromptShare is the part of a row's attention that falls on the prompt; the rest is on the forced text itself.
	PromptShare Share `json:"prompt_share"`
	Sinks       []int `json:"sinks"` // by query head
	// SinkShare and ContentShare are the parts of the attention on the prompt that fall on sinks, and on content.
	SinkShare    Share `json:"sink_share"`
	ContentShare Share `json:"content_share"`
}

// layerOf counts over heads.
func layerOf(heads []head, s Settings, z Sizes) Layer {
	l := Layer{
		Hits: make([][4]int, z.Windows), ContentHits: make([]int, z.Windows),
		ContentSeen: make([]int, z.Windows), ContentSeenHits: make([]int, z.Windows), Sinks: make([]int, len(heads)),
	}
	var all, onSinks, onContent float64
	for h, x := range heads {
		for j := range z.Tokens {
			all += x.generated[j]
			if x.sink[j] {
				l.Sinks[h]++
				onSinks += x.generated[j]
			}
		}
		for j := range z.Prompt {
			for g := range x.important {
				l.Important[g] += int(x.important[g][j])
			}
			if x.sink[j] {
				continue
			}
			onContent += x.generated[j]
			l.ContentImportant += x.contentRows(j)
			for g := range x.content {
				l.ContentQuarters[g] += int(x.content[g][j])
			}
			for i := range z.Windows {
				if j < z.start(i, s) {
					l.ContentSeen[i] += x.contentRows(j)
				}
			}
		}
		for i, vote := range x.votes {
			for _, p := range vote {
				j := int(p)
				for g := range x.important {
					l.Hits[i][g] += int(x.important[g][j])
				}
				if x.sink[j] {
					continue
				}
				for g := range x.content {
					if i == z.Windows-1 {
						l.ContentQuarterHits[g] += int(x.content[g][j])
					}
				}
				l.ContentHits[i] += x.contentRows(j)
				l.ContentSeenHits[i] += x.contentRows(j) // a window votes for nothing that it can't see
			}
		}
	}
	for g := range l.SumHit {
		l.SumHit[g] = sumHit(heads, g, s, z)
	}
	l.PromptShare = ratio(all, float64(z.Forced*len(heads)))
	l.SinkShare, l.ContentShare = ratio(onSinks, all), ratio(onContent, all)
	return l
}

// sumHit is the mean over heads of |A∩B|/|B|, of those where B is not empty.
func sumHit(heads []head, g int, s Settings, z Sizes) Share {
	var list []float64
	for _, x := range heads {
		both, b := 0, 0
		for j := range z.Prompt {
			if x.quarters[g][j] > s.Summed*float64(z.rowsOf(g)) {
				b++
				if x.sums[j] > s.Summed*float64(s.Window) {
					both++
				}
			}
		}
		list = append(list, float64(ratio(float64(both), float64(b))))
	}
	return mean(list)
}
