package runners

import (
	"fmt"
	"strings"

	"github.com/snapbench/snapbench/datasets"
	"github.com/snapbench/snapbench/metrics"
	"github.com/snapbench/snapbench/results"
)

// grade fills in what came back: the answer, its scores, what the cache held and
// what it cost. A sample that failed is a row with an error, never a zero.
func grade(r *results.Row, s datasets.Sample, c Completion) error {
	if c.Err != nil {
		if r.Error = c.Err.Error(); c.Untrusted {
			r.Audit = r.Error
		}
		return nil
	}
	if c.Note != "" {
		r.Note = strings.TrimPrefix(r.Note+"; "+c.Note, "; ")
	}
	r.Prediction, r.NewTokens = c.Text, pointer(len(c.Tokens))
	r.KeptMin, r.KeptMean, r.KeptMax = pointer(c.Kept.Min), pointer(c.Kept.Mean), pointer(c.Kept.Max)
	r.CacheBytes, r.FullCacheBytes, r.PeakBytes = known(c.CacheBytes), known(c.FullBytes), known(c.PeakBytes)
	r.Host = pointer(c.Host)
	r.PrefillSeconds, r.DecodeSeconds = pointer(c.Prefill.Seconds()), pointer(c.Decode.Seconds())
	if f := c.Fidelity; f != nil {
		r.KLMean, r.KLP99, r.Top1Agreement = pointer(f.KLMean), pointer(f.KLP99), pointer(f.Agreement)
		if f.FirstDivergence >= 0 {
			r.FirstDivergence = pointer(f.FirstDivergence)
		}
	}
	reference := metrics.Reference{Answers: s.Answers, Classes: s.Classes}
	if s.Needle != nil {
		reference.Needle = strings.Join(s.Needle.Needles, " ")
	}
	text := c.Text
	if s.FirstLine {
		text = metrics.FirstLine(text)
	}
	score := func(metric string) (*float64, error) {
		scorer, err := metrics.Open(metric)
		if err != nil {
			return nil, err
		}
		v, err := scorer.Score(text, reference)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", metric, err)
		}
		return &v, nil
	}
	var err error
	if r.Score, err = score(s.Metric); err != nil {
		r.Score, r.Error = nil, err.Error() // the reference is at fault; the prediction stays
		return nil
	}
	beside := map[string]**float64{}
	if s.Needle != nil {
		beside["recalled"], beside["rouge1_r"], beside["rouge1_f"] = &r.Recalled, &r.Rouge1R, &r.Rouge1F
	}
	if s.Metric == "recalled" {
		beside["recalled"] = &r.Recalled
	}
	if strings.HasPrefix(s.Metric, "code_sim") {
		beside["code_sim"], beside["code_sim_difflib"] = &r.CodeSimLevenshtein, &r.CodeSimDifflib
	}
	for metric, into := range beside {
		if *into, err = score(metric); err != nil {
			return err
		}
	}
	return nil
}

// known returns an amount, nil where it is 0: no runner has a cache or a peak of nothing.
func known(n int64) *int64 {
	if n == 0 {
		return nil
	}
	return &n
}
