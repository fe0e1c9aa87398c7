package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/datasets"
	"github.com/snapbench/snapbench/metrics"
	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/runners"
)

func shortHash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])[:12]
}

func pointer[T any](v T) *T { return &v }

// row is what is known of a sample under a variant before it is run.
func (j *job) row(m *model, w *worker, s datasets.Sample, v compress.Variant) results.Row {
	r := results.Row{
		Schema: results.Schema, Model: m.name, Revision: m.revision,
		Task: s.Task, TaskVersion: s.TaskVersion, Sample: s.ID, Protocol: s.Protocol, PromptSHA256: s.PromptSHA256,
		Variant: v.String(), Policy: v.Policy(), Budget: v.Budget(),
		Params: params(v),
		Device: m.kinds, DType: w.device.Type().String(),
		PromptTail: tail(s.Prompt, 600), Metric: s.Metric, Note: s.Note,
	}
	n := len(s.IDs)
	if s.Err == nil {
		r.PromptTokens = pointer(n + len(s.Question))
		r.FullCacheBytes = pointer(2 * int64(n) * int64(w.loaded.Layers) * int64(w.loaded.KVWidth()) * int64(w.device.Type().Size()))
		if !v.IsFull() {
			r.Capacity = pointer(v.Capacity(0, n))
			r.Share = pointer(float64(*r.Capacity) / float64(*r.PromptTokens))
			if v.KeepsAll(w.loaded.Layers, n) {
				r.Note = strings.TrimPrefix(r.Note+"; the prompt is within the budget: everything is kept", "; ")
			}
		}
	}
	if scorer, err := metrics.Open(s.Metric); err == nil {
		r.MetricVersion = scorer.Version
	}
	if s.Length > 0 {
		r.Length = pointer(s.Length)
	}
	r.SetAnswers(s.Answers)
	if s.Needle != nil {
		r.Length, r.Depth, r.NeedleToken = pointer(s.Needle.Length), pointer(s.Needle.Depth), pointer(s.Needle.Token)
	}
	r.ID = r.Key("tokenizer="+j.model.tokenizer, fmt.Sprintf("max_new=%d", s.MaxNew), fmt.Sprintf("min_new=%d", s.MinNew),
		"end="+s.End.String(), fmt.Sprintf("stop=%q%v", s.StopStrings, s.StopIDs), fmt.Sprintf("fidelity=%v", j.run.fidelity),
		"metric="+s.Metric+"/"+strconv.Itoa(r.MetricVersion), "code_sim="+j.codeSim)
	// Which of the devices it will be plays no part: a run goes on with more of them.
	r.Device = w.device.Name()
	return r
}

// params are a variant's parameters as rows have them.
func params(v compress.Variant) map[string]string {
	var list map[string]string
	for _, name := range []string{"w", "k", "pool", "gqa"} {
		if text := v.Parameter(name); text != "" {
			if list == nil {
				list = map[string]string{}
			}
			list[name] = text
		}
	}
	return list
}

// tail returns the last characters of a text.
func tail(s string, n int) string {
	for i := range s {
		if len(s)-i <= n {
			return s[i:]
		}
	}
	return ""
}

// grade fills in what came back: the answer, its scores, what the cache held and
// what it cost. A sample that failed is a row with an error, never a zero.
func (j *job) grade(r *results.Row, s datasets.Sample, c runners.Completion) error {
	var audit *runners.AuditError
	if errors.As(c.Err, &audit) {
		r.Audit = c.Err.Error()
	}
	if c.Err != nil {
		r.Error = c.Err.Error()
		return nil
	}
	r.Prediction, r.NewTokens = c.Text, pointer(len(c.Tokens))
	r.KeptMin, r.KeptMean, r.KeptMax = pointer(c.Kept.Min), pointer(c.Kept.Mean), pointer(c.Kept.Max)
	r.CacheBytes, r.PeakBytes = pointer(c.CacheBytes), pointer(c.PeakBytes)
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
