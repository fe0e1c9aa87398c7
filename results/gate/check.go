package gate

import (
	"fmt"
	"math"

	"github.com/snapbench/snapbench/results"
)

// checks are the audit, and the limits on speed, memory and fidelity where they are asked.
func (c contest) checks(limits Limits, twoRuns bool) ([]Check, error) {
	var list []Check
	add := func(name, found, limit string, v Verdict) {
		list = append(list, Check{Name: name, Subject: c.subject, Label: c.label, Found: found, Limit: limit, Verdict: v})
	}
	verdict := func(ok bool) Verdict {
		if ok {
			return Pass
		}
		return Fail
	}
	audited, broken, example := 0, 0, ""
	var prefill, decode, kl []float64
	var basePeak, candPeak int64
	missing := map[string]int{}
	tasks := c.answered()
	for _, task := range tasks {
		for _, s := range samplesOf(c.base[task], c.cand[task]) {
			x, y := c.base[task][s], c.cand[task][s]
			if y.KeptMean != nil {
				audited++
			}
			for _, r := range []*results.Row{x, y} {
				if r.Audit != "" && (r == y || twoRuns) {
					broken++
					if example == "" {
						example = fmt.Sprintf("%s, sample %s: %s", task, s, r.Audit)
					}
				}
			}
			ratio := func(name string, a, b *float64, list *[]float64) {
				if a == nil || b == nil || *a <= 0 || *b <= 0 {
					missing[name]++
					return
				}
				*list = append(*list, math.Log(*b / *a))
			}
			ratio("prefill_seconds", x.PrefillSeconds, y.PrefillSeconds, &prefill)
			ratio("decode_seconds", x.DecodeSeconds, y.DecodeSeconds, &decode)
			if x.PeakBytes == nil || y.PeakBytes == nil {
				missing["peak_bytes"]++
			} else {
				basePeak, candPeak = max(basePeak, *x.PeakBytes), max(candPeak, *y.PeakBytes)
			}
			if x.KLMean == nil || y.KLMean == nil {
				missing["kl_mean"]++
			} else {
				kl = append(kl, *y.KLMean-*x.KLMean)
			}
		}
	}
	if len(tasks) == 0 {
		return nil, nil
	}
	need := func(limit string, columns ...string) error {
		for _, col := range columns {
			if missing[col] > 0 {
				return &RefusedError{[]string{fmt.Sprintf("%s: %s needs %s, which %d samples lack", c.label, limit, col, missing[col])}}
			}
		}
		return nil
	}
	switch {
	case broken > 0:
		add("budget audit", fmt.Sprintf("%d rows kept other than they should (%s)", broken, example), "none", Fail)
	case audited > 0:
		add("budget audit", fmt.Sprintf("%d rows kept what they should", audited), "none", Pass)
	}
	if limits.MaxSlowdown != nil {
		if err := need(limits.name("max_slowdown"), "prefill_seconds", "decode_seconds"); err != nil {
			return nil, err
		}
		for _, t := range []struct {
			name string
			logs []float64
		}{{"prefill time", prefill}, {"decode time", decode}} {
			iv := results.PlainInterval(t.logs)
			found := results.Fixed(math.Exp(iv.Mean), 3) + " times the baseline's"
			v := verdict(iv.Mean <= math.Log(*limits.MaxSlowdown))
			if iv.Defined() {
				found += fmt.Sprintf(" [%s, %s]", results.Fixed(math.Exp(iv.Lo), 3), results.Fixed(math.Exp(iv.Hi), 3))
				// The interval must be on one side: times are noisy.
				if l := math.Log(*limits.MaxSlowdown); iv.Lo <= l && l < iv.Hi {
					v = Undecided
				}
			}
			add(t.name, found, fmt.Sprintf("%g times", *limits.MaxSlowdown), v)
		}
	}
	if limits.MaxPeak != nil {
		if err := need(limits.name("max_peak"), "peak_bytes"); err != nil {
			return nil, err
		}
		most := limits.MaxPeak.bytes(basePeak)
		add("peak memory", fmt.Sprintf("%s (baseline %s)", results.Bytes(float64(candPeak)), results.Bytes(float64(basePeak))), limits.MaxPeak.String(), verdict(float64(candPeak) <= most))
	}
	if limits.MaxKLRise != nil {
		if err := need(limits.name("max_kl_rise"), "kl_mean"); err != nil {
			return nil, err
		}
		add("KL divergence", fmt.Sprintf("%+.4g nats against the baseline's", mean(kl)), fmt.Sprintf("+%g nats", *limits.MaxKLRise), verdict(mean(kl) <= *limits.MaxKLRise))
	}
	return list, nil
}

// mean is of at least one number.
func mean(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum / float64(len(x))
}
