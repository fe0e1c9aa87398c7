package runners

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/snapbench/snapbench/datasets"
	"github.com/snapbench/snapbench/metrics"
	"github.com/snapbench/snapbench/results"
)

// graded notes a program's error, which stands in the row and may have been the run's end, and returns any other.
func (a *asked) graded(err error) error {
	var program *metrics.ProgramError
	if errors.As(err, &program) {
		a.unsure = true
		return nil
	}
	return err
}

// grade fills in what came back: the answer, its scores, what the cache held and
// what it cost. A sample that failed is a row with an error, never a zero. Where a program of the user's own failed, the error
// is a *metrics.ProgramError, and the row says so.
func grade(r *results.Row, s datasets.Sample, c Completion) error {
	if c.Served != nil {
		served(r, c.Served)
	}
	if c.Err != nil {
		if r.Error = c.Err.Error(); c.Untrusted {
			r.Audit = r.Error
		}
		return nil
	}
	if c.Note != "" {
		r.Note = strings.TrimPrefix(r.Note+"; "+c.Note, "; ")
	}
	r.Prediction = c.Text
	if len(c.Tokens) > 0 {
		r.NewTokens = pointer(len(c.Tokens))
	}
	if c.Kept.Max > 0 { // else nobody looked into the cache
		r.KeptMin, r.KeptMean, r.KeptMax = pointer(c.Kept.Min), pointer(c.Kept.Mean), pointer(c.Kept.Max)
		r.HeldMean, r.Host = pointer(c.Kept.Mean+float64(len(s.Question))), pointer(c.Host)
	}
	r.CacheBytes, r.FullCacheBytes, r.FixedBytes, r.PeakBytes = known(c.CacheBytes), known(c.FullBytes), known(c.FixedBytes), known(c.PeakBytes)
	r.CachePeakBytes = known(c.CachePeak)
	if c.TokenBytes > 0 {
		r.TokenBytes = pointer(c.TokenBytes)
	}
	r.PrefillSeconds, r.DecodeSeconds = seconds(c.Prefill), seconds(c.Decode)
	if f := c.Fidelity; f != nil {
		r.Top1Agreement = pointer(f.Agreement)
		if f.Top > 0 {
			r.KLLowerMean, r.KLLowerP99, r.AnswerLogProb = pointer(f.KLMean), pointer(f.KLP99), f.LogProb
		} else {
			r.KLMean, r.KLP99 = pointer(f.KLMean), pointer(f.KLP99)
		}
		if f.FirstDivergence >= 0 {
			r.FirstDivergence = pointer(f.FirstDivergence)
		}
		for _, p := range f.Parts {
			p.Set(r, p.KL, p.Agreement)
		}
	}
	if s.Metric == metrics.None {
		r.Note = strings.TrimPrefix(r.Note+"; no answers to score by", "; ")
		return nil
	}
	reference := metrics.Reference{Answers: s.Answers, Classes: s.Classes, Sample: s.ID, Prompt: s.Prompt}
	if s.Needle != nil {
		reference.Needle = strings.Join(s.Needle.Needles, " ")
	}
	of := func(text, metric string) (*float64, error) {
		if s.FirstLine {
			text = metrics.FirstLine(text)
		}
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
	score := func(metric string) (*float64, error) { return of(c.Text, metric) }
	var err error
	var failed *metrics.ProgramError
	if r.Score, err = score(s.Metric); err != nil {
		r.Score, r.Error = nil, err.Error() // the reference is at fault, or the program; the prediction stays
		if errors.As(err, &failed) {
			return failed
		}
		return nil
	}
	if by := raised(s, c.Text, reference); by != "" {
		r.Note = strings.TrimPrefix(r.Note+"; the original grader stops at such an answer: "+by, "; ")
	}
	if c.Served != nil && c.Served.Again != nil {
		if r.RepeatScore, err = of(*c.Served.Again, s.Metric); err != nil {
			r.Note = strings.TrimPrefix(r.Note+"; the second answer has no score: "+err.Error(), "; ")
			errors.As(err, &failed)
		}
		r.RepeatEqual = pointer(*c.Served.Again == c.Text)
	}
	beside := map[string]**float64{}
	if s.Needle != nil {
		beside["recalled"], beside["rouge1_r"], beside["rouge1_f"] = &r.Recalled, &r.Rouge1R, &r.Rouge1F
	}
	if s.Metric == "recalled" {
		beside["recalled"] = &r.Recalled
	}
	if strings.HasPrefix(s.Metric, "graphwalks_") {
		beside["graphwalks_lm_eval_f1"] = &r.LMEvalF1
	}
	if strings.HasPrefix(s.Metric, "code_sim") {
		beside["code_sim"], beside["code_sim_difflib"] = &r.CodeSimLevenshtein, &r.CodeSimDifflib
	}
	for metric, into := range beside {
		if *into, err = score(metric); err != nil {
			return err
		}
	}
	switch s.Metric {
	case "instructions":
		return gradeFollowed(r, reference)
	case "withheld":
		return gradeLeaked(r, reference)
	}
	if failed != nil {
		return failed
	}
	return nil
}

// raised names the exception with which the original program of the sample's metric stops at a text,
// if it does.
func raised(s datasets.Sample, text string, reference metrics.Reference) string {
	scorer, err := metrics.Open(s.Metric)
	if err != nil || scorer.Raises == nil {
		return ""
	}
	return scorer.Raises(text, reference)
}

// served fills in what only a server's answer has.
func served(r *results.Row, v *Served) {
	r.Retries = pointer(v.Retries)
	r.TTFTSeconds, r.TokenSecondsP50, r.TokenSecondsP95 = seconds(v.FirstToken), seconds(v.TokenP50), seconds(v.TokenP95)
	if r.PromptTokens == nil && v.PromptTokens > 0 {
		r.PromptTokens = pointer(v.PromptTokens)
	}
	if v.NewTokens > 0 {
		r.NewTokens = pointer(v.NewTokens)
	}
}

// seconds returns a time, nil where it is 0: nothing takes no time.
func seconds(d time.Duration) *float64 {
	if d == 0 {
		return nil
	}
	return pointer(d.Seconds())
}

// known returns an amount, nil where it is 0: no runner has a cache or a peak of nothing.
func known(n int64) *int64 {
	if n == 0 {
		return nil
	}
	return &n
}
