package observe

import (
	"math"

	"github.com/snapbench/snapbench/results"
)

// few is how many important attentions a picture's cell needs: a ratio of fewer says nothing.
const few = 20

// counted is a hit rate before it is divided.
type counted struct{ hits, important int }

func (c *counted) add(hits, important int) { c.hits, c.important = c.hits+hits, c.important+important }

// share is the hit rate, NaN where fewer than least attentions are important.
func (c counted) share(least int) float64 {
	if c.important < least {
		return math.NaN()
	}
	return float64(ratio(float64(c.hits), float64(c.important)))
}

// rate counts hits in one layer.
type rate func(Layer) counted

// windowRate is that of the window which has so many others behind it, over content or all positions. A prompt without
// such a window gives nothing.
func windowRate(back int, content bool) rate {
	return func(l Layer) (c counted) {
		i := len(l.Hits) - 1 - back
		if i < 0 {
			return c
		}
		if content {
			return counted{l.ContentHits[i], l.ContentImportant}
		}
		for g := range l.Important {
			c.add(l.Hits[i][g], l.Important[g])
		}
		return c
	}
}

// quarterRate is that of the last window in a quarter of the forced text.
func quarterRate(g int, content bool) rate {
	return func(l Layer) counted {
		if content {
			return counted{l.ContentQuarterHits[g], l.ContentQuarters[g]}
		}
		return counted{l.Hits[len(l.Hits)-1][g], l.Important[g]}
	}
}

// firstRate is that of each prompt's first window.
func firstRate(content bool) rate {
	return func(l Layer) counted { return windowRate(len(l.Hits)-1, content)(l) }
}

// seen lists the samples that were observed.
func (r *Report) seen() (list []Sample) {
	for _, s := range r.Samples {
		if s.Seen != nil {
			list = append(list, s)
		}
	}
	return list
}

// over returns the mean over samples of a hit rate in a layer, or where that is negative over all layers, which is one
// ratio of sums.
func (r *Report) over(layer, least int, of rate) results.Interval {
	var list []float64
	for _, s := range r.seen() {
		var c counted
		for i, l := range s.Seen.Layers {
			if layer < 0 || i == layer {
				x := of(l)
				c.add(x.hits, x.important)
			}
		}
		if v := c.share(max(1, least)); !math.IsNaN(v) {
			list = append(list, v)
		}
	}
	return results.MeanInterval(list)
}

// variant returns the mean over samples of what a variant's summary has.
func (r *Report) variant(name string, of func(Summary) Share) results.Interval {
	var list []float64
	for _, s := range r.seen() {
		if v := float64(of(s.Seen.Variants[name].Summary)); !math.IsNaN(v) {
			list = append(list, v)
		}
	}
	return results.MeanInterval(list)
}

// layers is the model's number of layers.
func (r *Report) layers() int { return len(r.seen()[0].Seen.Layers) }
