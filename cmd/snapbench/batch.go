package main

import (
	"context"
	"errors"
	"slices"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/datasets"
	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/engine"
)

// asked is a sample and the rows that its answers will fill; none where all of
// them are finished.
type asked struct {
	task    datasets.Task
	number  int // in its task
	sample  datasets.Sample
	rows    []results.Row
	request runners.Request
	hidden  bool // the request's first variant is the full cache, for fidelity alone
}

// ask prepares a sample for the variants that have no finished row.
func (j *job) ask(m *model, w *worker, journal *results.Journal, progress *progress, task datasets.Task, number int, s datasets.Sample) asked {
	a := asked{task: task, number: number, sample: s}
	var variants []compress.Variant
	for _, v := range j.variants {
		r := j.row(m, w, s, v)
		if journal.Finished(r.ID) && !(j.run.retry && journal.Failed(r.ID)) {
			continue
		}
		if s.Err != nil {
			r.Error = s.Err.Error()
		}
		a.rows, variants = append(a.rows, r), append(variants, v)
	}
	if !a.open() {
		return a
	}
	a.request = runners.Request{
		Prompt: s.IDs, Question: s.Question, Variants: variants, MaxNew: s.MaxNew, MinNew: s.MinNew, Stop: m.stop(s),
		Fidelity: j.run.fidelity, Progress: progress.within(s.Task, s.ID),
	}
	// Fidelity needs the full cache's answer, also where its own row is finished.
	if a.hidden = j.run.fidelity && !slices.ContainsFunc(variants, isFull); a.hidden {
		a.request.Variants = append([]compress.Variant{compress.Full}, variants...)
	}
	return a
}

// open says whether the model has something to answer.
func (a asked) open() bool { return len(a.rows) > 0 && a.sample.Err == nil }

// What is decoded together: rows enough that reading the weights costs little
// for each, and no more prompt tokens than a device reads in some seconds, which
// are lost where the run is killed before their answers are there.
const (
	rowsTogether      = 32
	tokensTogether    = 2 << 10 // on a CPU
	tokensTogetherGPU = 128 << 10
)

// fits says whether a sample may be decoded together with those that wait. One
// alone always may: what does not fit then is an error of its variants.
func (j *job) fits(w *worker, waiting []asked, next asked) bool {
	if len(waiting) == 0 {
		return true
	}
	limit := tokensTogetherGPU
	if engine.OnHost(w.device.Name()) {
		limit = tokensTogether
	}
	list := append(waiting[:len(waiting):len(waiting)], next)
	rows, tokens, room := 0, 0, 0
	for _, a := range list {
		rows += len(a.request.Variants)
		tokens += len(a.request.Prompt)
		room = max(room, len(a.request.Question)+a.request.MaxNew)
	}
	if rows > rowsTogether || tokens > limit {
		return false
	}
	// Half of what is free, shared with who takes of the same memory: a plan is an
	// estimate, and who comes last must not fail.
	var caches, prefill, decode int64
	for _, a := range list {
		plan := w.loaded.Plan(a.request.Variants, len(a.request.Prompt), room, a.request.Fidelity)
		for _, c := range plan.Caches {
			caches += c
		}
		prefill, decode = max(prefill, plan.Prefill), decode+plan.Decode
	}
	return caches+max(prefill, decode) <= w.device.Memory().Free/2/int64(len(w.memory.workers))
}

// complete answers samples together and grades their rows. Those that are not
// open stay as they are.
func (j *job) complete(ctx context.Context, w *worker, list []asked) error {
	var requests []runners.Request
	var of []int
	for i, a := range list {
		if a.open() {
			requests, of = append(requests, a.request), append(of, i)
		}
	}
	if len(requests) == 0 {
		return nil
	}
	out, err := w.run(ctx, requests)
	if len(requests) > 1 && lacksMemory(out, err) { // alone each may have enough
		for _, i := range of {
			if err := j.complete(ctx, w, list[i:i+1]); err != nil {
				return err
			}
		}
		return nil
	}
	if err != nil {
		return err
	}
	for k, i := range of {
		completions := out[k]
		if list[i].hidden {
			completions = completions[1:]
		}
		for r := range list[i].rows {
			if err := j.grade(&list[i].rows[r], list[i].sample, completions[r]); err != nil {
				return err
			}
		}
	}
	return nil
}

func lacksMemory(out [][]runners.Completion, err error) bool {
	var memory *engine.OutOfMemory
	if errors.As(err, &memory) {
		return true
	}
	for _, completions := range out {
		for _, c := range completions {
			if errors.As(c.Err, &memory) {
				return true
			}
		}
	}
	return false
}
