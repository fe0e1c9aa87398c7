package results

import (
	"math"
)

// Cost is what one variant cost, over all rows of a subject.
type Cost struct {
	Variant, Label         string
	Rows, Failed           int
	PromptTokens           float64 // mean
	PrefillSeconds         float64 // mean
	PrefillTokensPerSecond float64
	DecodeTokensPerSecond  float64 // tokens of the variant over the time in which it was decoded, with whatever was decoded beside it
	CacheBytes             float64 // mean
	Cache                  Footprint
	KeptMean               float64
	PeakBytes              int64 // most
	AuditFailures          int
	Served                 ServedCost
}

// ServedCost is what a server's answers cost, over the rows that know; what none knows is NaN.
type ServedCost struct {
	FirstTokenP50, FirstTokenP95 float64 // percentiles over rows of the time to the first token, seconds
	TokenP50, TokenP95           float64 // means over rows of the percentiles of the time between tokens, seconds
	Same                         float64 // share of the rows asked twice whose answers are the same text
	RepeatScore, FirstScore      float64 // mean scores of the second answers, and of the first ones of the same rows
}

// Costs sums up time and memory by variant; what no row knows is NaN (PeakBytes: 0).
func Costs(run Run, rows []Row) []Cost {
	labels := Labels(rows)
	var costs []Cost
	variants := names(rows, func(r *Row) string { return r.Variant }, run.Variants)
	caches, _ := footprints(rows, variants)
	for k, v := range variants {
		c := Cost{Variant: v, Label: labels[v], Cache: caches[k]}
		var prompt, prefill, cache, kept []float64
		var answers served
		preTokens, preSeconds, newTokens, decode := 0.0, 0.0, 0.0, 0.0
		for i := range rows {
			r := &rows[i]
			if r.Variant != v {
				continue
			}
			c.Rows++
			answers.add(r)
			if r.Error != "" {
				c.Failed++
			}
			if r.Audit != "" {
				c.AuditFailures++
			}
			if r.PromptTokens != nil {
				prompt = append(prompt, float64(*r.PromptTokens))
			}
			if r.PrefillSeconds != nil {
				prefill = append(prefill, *r.PrefillSeconds)
				if r.PromptTokens != nil {
					preTokens, preSeconds = preTokens+float64(*r.PromptTokens), preSeconds+*r.PrefillSeconds
				}
			}
			if r.NewTokens != nil && r.DecodeSeconds != nil {
				newTokens, decode = newTokens+float64(*r.NewTokens), decode+*r.DecodeSeconds
			}
			if r.CacheBytes != nil {
				cache = append(cache, float64(*r.CacheBytes))
			}
			if r.KeptMean != nil {
				kept = append(kept, *r.KeptMean)
			}
			if r.PeakBytes != nil {
				c.PeakBytes = max(c.PeakBytes, *r.PeakBytes)
			}
		}
		c.PromptTokens, c.PrefillSeconds, c.CacheBytes, c.KeptMean = mean(prompt), mean(prefill), mean(cache), mean(kept)
		c.PrefillTokensPerSecond, c.DecodeTokensPerSecond = rate(preTokens, preSeconds), rate(newTokens, decode)
		c.Served = answers.cost()
		costs = append(costs, c)
	}
	return costs
}

func rate(amount, seconds float64) float64 {
	if seconds <= 0 {
		return math.NaN()
	}
	return amount / seconds
}
