package modeltest

import (
	"context"
	"fmt"
	"math"
	"reflect"
	"slices"
	"testing"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/local"
	"github.com/snapbench/snapbench/runners/models"
)

// A workload is a model with prompts and variants.
type workload struct {
	model    string // a path, or shape:NAME
	prompts  [][]int32
	variants []compress.Variant
	steps    int
}

// answer is the results of a device for one prompt under one variant.
type answer struct {
	variant compress.Variant
	prefill []float32   // the logits after the prompt
	kept    [][][]int32 // by layer and cache head
	logits  [][]float32 // of each step, (vocab)
	fed     []int32     // the token of each step
	chosen  []int32     // the greedy choices after the prompt and after each step
}

// together reads each prompt once for all variants, and decodes all of them as one
// batch. Halfway every third answer leaves the batch. Answers are ordered by prompt,
// then variant. feed has the tokens that each answer is fed; nil means its own choices.
func together(t *testing.T, m *models.Model, w workload, feed [][]int32) []answer {
	t.Helper()
	var answers []answer
	var sequences []models.Sequence
	for _, ids := range w.prompts {
		done, err := m.Prefill(context.Background(), models.Prompt{IDs: ids, Variants: w.variants, Room: w.steps})
		if err != nil {
			t.Fatal(err)
		}
		defer done.Free()
		for i, v := range w.variants {
			answers = append(answers, answer{
				variant: v, prefill: done.Logits, kept: positions(m.Device(), done.Sequences[i].Sequence), chosen: []int32{models.Greedy(done.Logits)},
			})
		}
		sequences = append(sequences, done.Sequences...)
	}
	decoder, err := m.NewDecoder(sequences)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { decoder.Close() }()
	rows := make([]int, len(answers)) // the answer of each row of the decoder
	for i := range rows {
		rows[i] = i
	}
	for step := range w.steps {
		if step == w.steps/2 && len(rows) > 2 {
			var stay, left []int
			for row := range rows {
				if row%3 != 1 {
					stay, left = append(stay, row), append(left, rows[row])
				}
			}
			all, next := decoder.Sequences(), []models.Sequence(nil)
			for _, row := range stay {
				next = append(next, all[row])
			}
			decoder.Close()
			if decoder, err = m.NewDecoder(next); err != nil {
				t.Fatal(err)
			}
			rows = left
		}
		var fed []int32
		for _, i := range rows {
			a := &answers[i]
			token := a.chosen[step]
			if feed != nil {
				token = feed[i][step]
			}
			a.fed, fed = append(a.fed, token), append(fed, token)
		}
		next, err := decoder.Step(fed)
		if err != nil {
			t.Fatal(err)
		}
		for row, i := range rows {
			logits := make([]float32, m.Vocab)
			decoder.Logits(row, logits)
			answers[i].logits, answers[i].chosen = append(answers[i].logits, logits), append(answers[i].chosen, next[row])
		}
	}
	if err := m.Device().Sync(); err != nil {
		t.Fatal(err)
	}
	return answers
}

// differs returns an error that names the first difference between two answers, over the
// steps that both have. Logits are compared bit for bit.
func (a answer) differs(b answer) error {
	if !reflect.DeepEqual(a.kept, b.kept) {
		return fmt.Errorf("other positions are kept")
	}
	if err := sameLogits(a.prefill, b.prefill); err != nil {
		return fmt.Errorf("logits after the prompt: %w", err)
	}
	for step := range min(len(a.logits), len(b.logits)) {
		if a.fed[step] != b.fed[step] {
			return fmt.Errorf("step %d: fed %d and %d", step, a.fed[step], b.fed[step])
		}
		if err := sameLogits(a.logits[step], b.logits[step]); err != nil {
			return fmt.Errorf("step %d: logits: %w", step, err)
		}
		if x, y := a.chosen[step+1], b.chosen[step+1]; x != y {
			return fmt.Errorf("step %d: chose %d and %d", step, x, y)
		}
	}
	return nil
}

func sameLogits(a, b []float32) error {
	if len(a) != len(b) {
		return fmt.Errorf("%d and %d", len(a), len(b))
	}
	for i := range a {
		if math.Float32bits(a[i]) != math.Float32bits(b[i]) {
			return fmt.Errorf("%v and %v at %d: %g apart", a[i], b[i], i, math.Abs(float64(a[i])-float64(b[i])))
		}
	}
	return nil
}

// ownRows is the largest number of rows that a card multiplies by our own kernels in any
// type. There rows do not depend on each other; with more rows cuBLAS may be used, where
// they may.
const ownRows = 64

// Company tests that an answer does not depend on what else is computed with it. It
// compares all prompts under all variants, with shared prefills and one batch, with one
// variant of one prompt at a time. Positions, logits and choices must be equal bit for
// bit if at most few rows are decoded together. few = 0 means any number of rows; then
// the prompts are also repeated to give more than ownRows rows.
func Company(t *testing.T, d engine.Device, few int, w workload) {
	for _, e := range dependences(t, d, few, w) {
		t.Error(e)
	}
}

// dependences returns the differences that Company reports.
func dependences(t *testing.T, d engine.Device, few int, w workload) (found []string) {
	m := Load(t, d, w.model)
	defer m.Close()
	if rows := len(w.prompts) * len(w.variants); few > 0 && rows > few {
		t.Fatalf("%d rows for a device that promises %d", rows, few)
	}
	all := together(t, m, w, nil)
	alone := make([]answer, 0, len(all))
	for i, want := range all {
		prompt := i / len(w.variants)
		one := workload{prompts: w.prompts[prompt : prompt+1], variants: []compress.Variant{want.variant}, steps: len(want.fed)}
		got := together(t, m, one, [][]int32{want.fed})[0]
		if err := got.differs(want); err != nil {
			found = append(found, fmt.Sprintf("prompt %d, %s, alone and with others: %v", prompt, want.variant, err))
		}
		alone = append(alone, got)
	}
	if few > 0 {
		return found
	}
	many := workload{variants: w.variants, steps: w.steps / 2} // every answer has at least so many steps
	var feed [][]int32
	for len(feed) <= max(ownRows, 2*len(all)) {
		many.prompts = append(many.prompts, w.prompts...)
		for _, a := range all {
			feed = append(feed, a.fed)
		}
	}
	for i, got := range together(t, m, many, feed) {
		want := alone[i%len(alone)]
		if err := got.differs(want); err != nil {
			found = append(found, fmt.Sprintf("%s, alone and among %d: %v", want.variant, len(feed), err))
		}
	}
	return found
}

// Twice tests that two runs, each with its own device and model, give the same answers
// bit for bit: everything that a row of results is made from, fidelity included, and
// the logits.
func Twice(t *testing.T, open func(t *testing.T) engine.Device, w workload) {
	type run struct {
		answers     []answer
		completions [][]runners.Completion
	}
	var runs [2]run
	for i := range runs {
		t.Run(fmt.Sprint("run ", i+1), func(t *testing.T) {
			m := Load(t, open(t), w.model)
			defer m.Close()
			var requests []runners.Request
			for _, ids := range slices.Concat(w.prompts, w.prompts, w.prompts) { // to have many rows
				requests = append(requests, runners.Request{Prompt: ids, Variants: runners.VariantsOf(w.variants), MaxNew: w.steps, Fidelity: true, Positions: true})
			}
			local := local.New(m, func(ids []int32) string { return fmt.Sprint(ids) })
			completions, err := runners.Answer(context.Background(), local, requests...)
			if err != nil {
				t.Fatal(err)
			}
			for _, of := range completions {
				for j := range of {
					if of[j].Err != nil {
						t.Fatal(of[j].Err)
					}
					c := &of[j]
					c.Prefill, c.Decode, c.PrefillPart, c.DecodePart = 0, 0, 0, 0
				}
			}
			runs[i] = run{together(t, m, w, nil), completions}
		})
	}
	if len(runs[0].answers) == 0 || len(runs[0].answers) != len(runs[1].answers) {
		t.Skip("no two runs")
	}
	for i, a := range runs[0].answers {
		if err := a.differs(runs[1].answers[i]); err != nil {
			t.Errorf("prompt %d, %s: %v", i/len(w.variants), a.variant, err)
		}
	}
	if !reflect.DeepEqual(runs[0].completions, runs[1].completions) {
		t.Errorf("completions %+v, the second time %+v", runs[0].completions, runs[1].completions)
	}
}
