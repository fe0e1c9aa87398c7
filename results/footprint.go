package results

import (
	"fmt"
	"math"
	"slices"
)

// cacheColumn is the heading of [Footprint.TimesFull] in every table of variants.
const cacheColumn = "cache, × full"

// chosenColumn is the heading of [Footprint.ChosenTimesFull], where some layers keep the same under every policy.
const chosenColumn = "full-attention layers, × full"

// Footprint is the size of a variant's caches, compared with the full caches of the same prompts.
type Footprint struct {
	TimesFull float64 // mean of cache_bytes / full_cache_bytes; NaN if no row has both
	Copies    float64 // mean number of copies per KV head (the full cache has one); NaN if no row tells, as in a format, whose bytes are no count

	// Of models whose layers with a sliding window no policy changes: the same of the other layers alone, and the mean
	// bytes of those layers. NaN if no row has any.
	ChosenTimesFull, Fixed float64
	Formatted              bool // the cache has a format: Fixed is in 16 bits, else in the device's own type
}

// FootprintOf is the mean over the rows of one variant.
func FootprintOf(rows []*Row) Footprint {
	var times, copies, chosen, fixed []float64
	formatted := false
	for _, r := range rows {
		formatted = formatted || r.Cache != ""
		x := r.TimesFull()
		if x == nil {
			continue
		}
		times = append(times, *x)
		if r.FixedBytes != nil && *r.FixedBytes < *r.FullCacheBytes {
			*x = float64(*r.CacheBytes-*r.FixedBytes) / float64(*r.FullCacheBytes-*r.FixedBytes)
			chosen, fixed = append(chosen, *x), append(fixed, float64(*r.FixedBytes))
		}
		// A copy has kept_mean positions, so cache_bytes, those of the layers that it is the mean of, are this many copies.
		if r.Cache == "" && r.KeptMean != nil && *r.KeptMean > 0 && r.PromptTokens != nil {
			copies = append(copies, *x*float64(*r.PromptTokens) / *r.KeptMean)
		}
	}
	return Footprint{mean(times), mean(copies), mean(chosen), mean(fixed), formatted}
}

// TimesFull is the size of the row's cache as a multiple of the same prompt's full cache; nil if unknown.
func (r *Row) TimesFull() *float64 {
	if r.CacheBytes == nil || r.FullCacheBytes == nil || *r.FullCacheBytes <= 0 {
		return nil
	}
	x := float64(*r.CacheBytes) / float64(*r.FullCacheBytes)
	return &x
}

// footprints returns one Footprint per variant. known is false if every one is NaN.
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

// above reports whether the caches take more memory than the full cache.
func (f Footprint) above() bool { return f.TimesFull > 1+1e-9 }

// String is "0.25", with a star if it is more than the full cache.
func (f Footprint) String() string {
	if f.above() {
		return fixed(f.TimesFull, 2) + " *"
	}
	return ratioText(f.TimesFull)
}

// ratioText is "0.25", and "0.025" below a tenth.
func ratioText(x float64) string {
	switch {
	case math.IsNaN(x):
		return "n/a"
	case x < 0.1:
		return fixed(x, 3)
	}
	return fixed(x, 2)
}

// someFixed reports whether any of the caches has layers that no policy changes.
func someFixed(list []Footprint) bool {
	return slices.ContainsFunc(list, func(f Footprint) bool { return !math.IsNaN(f.Fixed) })
}

// explainFixed is the line below a table that says what no policy changes, or nil where there is none. In a format that is as
// large as in 16 bits, which the device's own type need not be.
func explainFixed(list []Footprint) []string {
	var own, formatted []float64
	for _, f := range list {
		switch {
		case math.IsNaN(f.Fixed):
		case f.Formatted:
			formatted = append(formatted, f.Fixed)
		default:
			own = append(own, f.Fixed)
		}
	}
	var size string
	switch in16 := Bytes(mean(formatted)); {
	case own == nil && formatted == nil:
		return nil
	case own == nil:
		size = in16
	case formatted == nil || Bytes(mean(own)) == in16:
		size = Bytes(mean(own))
	default:
		size = Bytes(mean(own)) + " in the device's own type and " + in16 + " in 16 bits"
	}
	return []string{"of every cache, the full one's too, " + size + " are layers with a sliding window or linear attention, which keep that whatever the policy"}
}

// explainAbove is the line below a table that explains its stars, or nil if there are none.
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
