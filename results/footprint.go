package results

import (
	"fmt"
	"math"
)

// cacheColumn heads what a variant's cache takes, in every table of variants.
const cacheColumn = "cache, × full"

// Footprint is what a variant's caches take against the full cache's of the same prompts.
type Footprint struct {
	TimesFull float64 // mean of cache_bytes over full_cache_bytes; NaN where no row knows both
	Copies    float64 // mean number of copies per KV head, of which the full cache keeps one; NaN where no row knows
}

// FootprintOf is the mean over rows, which are of one variant.
func FootprintOf(rows []*Row) Footprint {
	var times, copies []float64
	for _, r := range rows {
		x := r.TimesFull()
		if x == nil {
			continue
		}
		times = append(times, *x)
		// A copy holds kept_mean of the prompt's positions, so this many copies make up the bytes.
		if r.KeptMean != nil && *r.KeptMean > 0 && r.PromptTokens != nil {
			copies = append(copies, *x*float64(*r.PromptTokens) / *r.KeptMean)
		}
	}
	return Footprint{mean(times), mean(copies)}
}

// TimesFull is the row's cache as a multiple of the full cache of the same prompt; nil where unknown.
func (r *Row) TimesFull() *float64 {
	if r.CacheBytes == nil || r.FullCacheBytes == nil || *r.FullCacheBytes <= 0 {
		return nil
	}
	x := float64(*r.CacheBytes) / float64(*r.FullCacheBytes)
	return &x
}

// footprints are those of variants, in their order; known is false where no row of any knows.
func footprints(rows []Row, variants []string) (list []Footprint, known bool) {
	of := map[string][]*Row{}
	for i := range rows {
		of[rows[i].Variant] = append(of[rows[i].Variant], &rows[i])
	}
	for _, v := range variants {
		f := FootprintOf(of[v])
		known = known || !math.IsNaN(f.TimesFull)
		list = append(list, f)
	}
	return list, known
}

// above says that the caches take more than the full cache.
func (f Footprint) above() bool { return f.TimesFull > 1+1e-9 }

// String is "0.25", with a star where more is kept than the full cache has.
func (f Footprint) String() string {
	switch {
	case math.IsNaN(f.TimesFull):
		return "n/a"
	case f.above():
		return fixed(f.TimesFull, 2) + " *"
	case f.TimesFull < 0.1:
		return fixed(f.TimesFull, 3)
	}
	return fixed(f.TimesFull, 2)
}

// explainAbove is the line below a table that explains its stars; none where there is none.
func explainAbove(list []Footprint) []string {
	any := false
	lo, hi := math.Inf(1), 0.0
	for _, f := range list {
		if f.above() {
			any = true
			lo, hi = min(lo, math.Round(f.Copies)), max(hi, math.Round(f.Copies)) // NaN stays
		}
	}
	switch {
	case !any:
		return nil
	case !(lo > 1):
		return []string{"* keeps more than the full cache"}
	case lo == hi:
		return []string{fmt.Sprintf("* keeps more than the full cache: %.0f copies per KV head, one per query head, where the full cache has one", lo)}
	}
	return []string{fmt.Sprintf("* keeps more than the full cache: %.0f to %.0f copies per KV head, one per query head, where the full cache has one", lo, hi)}
}
