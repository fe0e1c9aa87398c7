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

// layerOf counts over heads, side by side.
func layerOf(heads []head, s Settings, z Sizes) Layer {
	list := make([]headCounts, len(heads))
	side(len(heads), func(h int) { list[h] = heads[h].count(z, s) })
	l := Layer{
		Hits: make([][4]int, z.Windows), ContentHits: make([]int, z.Windows),
		ContentSeen: make([]int, z.Windows), ContentSeenHits: make([]int, z.Windows), Sinks: make([]int, len(heads)),
	}
	var all, onSinks, onContent float64
	var summed [4][]float64
	for h, x := range list {
		all, onSinks, onContent, l.Sinks[h] = all+x.all, onSinks+x.onSinks, onContent+x.onContent, x.sinks
		for g := range l.Important {
			l.Important[g] += x.important[g]
			l.ContentQuarters[g] += x.content[g]
			l.ContentImportant += x.content[g]
			l.ContentQuarterHits[g] += x.contentHits[z.Windows-1][g]
			summed[g] = append(summed[g], heads[h].sumHit[g])
		}
		for i := range z.Windows {
			l.ContentSeen[i] += x.seen[i]
			for g, hits := range x.hits[i] {
				l.Hits[i][g] += hits
				l.ContentHits[i] += x.contentHits[i][g]
				l.ContentSeenHits[i] += x.contentHits[i][g] // a window votes for nothing that it can't see
			}
		}
	}
	for g := range l.SumHit {
		l.SumHit[g] = mean(summed[g])
	}
	l.PromptShare = ratio(all, float64(z.Forced*len(heads)))
	l.SinkShare, l.ContentShare = ratio(onSinks, all), ratio(onContent, all)
	return l
}

// headCounts is what Layer counts, of one head.
type headCounts struct {
	important, content      [4]int // by quarter, before the last window; content alone
	hits, contentHits       [][4]int
	seen                    []int // by window, content before it
	sinks                   int
	all, onSinks, onContent float64
}

func (x head) count(z Sizes, s Settings) headCounts {
	c := headCounts{hits: make([][4]int, z.Windows), contentHits: make([][4]int, z.Windows), seen: make([]int, z.Windows), all: x.all}
	for j, a := range x.generated {
		if x.sink[j] {
			c.sinks++
			c.onSinks += float64(a)
		} else if j < z.Prompt {
			c.onContent += float64(a)
		}
	}
	for _, p := range x.some {
		j := int(p)
		if j >= z.Prompt {
			continue
		}
		add(&c.important, x.counts[j].important)
		if x.sink[j] {
			continue
		}
		add(&c.content, x.counts[j].content)
		rows := x.counts[j].rows()
		for i := z.Windows - 1; i >= 0 && j < z.start(i, s); i-- {
			c.seen[i] += rows
		}
	}
	for i, vote := range x.votes {
		for _, j := range vote {
			if x.counts[j] == (counts{}) {
				continue
			}
			add(&c.hits[i], x.counts[j].important)
			if !x.sink[j] {
				add(&c.contentHits[i], x.counts[j].content)
			}
		}
	}
	return c
}

func add(to *[4]int, rows [4]uint16) {
	for g, n := range rows {
		to[g] += int(n)
	}
}
