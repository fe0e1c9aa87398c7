package local_test

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/cpu"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/evidence"
	"github.com/snapbench/snapbench/runners/local"
	"github.com/snapbench/snapbench/runners/models"
	"github.com/snapbench/snapbench/runners/ref"
	"github.com/snapbench/snapbench/runners/sharedtest"
	"github.com/snapbench/snapbench/runners/tokenizer"
)

// recordedPrompt is one of the reference's prompts, and what its variants keep of its spans.
type recordedPrompt struct {
	ID         string                   `json:"id"`
	IDs        []int32                  `json:"ids"`
	Tokens     []int32                  `json:"tokens"`
	Spans      map[string]evidence.Span `json:"spans"`
	AnswerRows int                      `json:"answer_rows"`
	Variants   map[string]struct {
		Summary map[string]json.RawMessage `json:"summary"`
	} `json:"variants"`
}

// TestEvidenceReference holds what a run tells of its passages to the recorded numbers, on the judge and on the fast device.
func TestEvidenceReference(t *testing.T) {
	fast, err := cpu.New()
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Prompts []recordedPrompt }
	sharedtest.JSON(t, sharedtest.Path(t, "observe", "tiny.json"), &file)
	for _, d := range []engine.Device{ref.New(), fast} {
		t.Run(d.Name(), func(t *testing.T) {
			defer d.Close()
			for _, p := range file.Prompts {
				checkpoint, _, _ := strings.Cut(p.ID, "/")
				files, err := models.Open(sharedtest.Path(t, "goldens", checkpoint))
				if err != nil {
					t.Fatal(err)
				}
				defer files.Close()
				m, err := models.Load(d, files, nil)
				if err != nil {
					t.Fatal(err)
				}
				defer m.Close()
				t.Run(checkpoint, func(t *testing.T) { p.hold(t, m) })
			}
		})
	}
}

func (p recordedPrompt) hold(t *testing.T, m *models.Model) {
	e := &runners.Evidence{Says: func(text string) bool { return len(text) > p.AnswerRows }}
	for name, s := range p.Spans {
		e.Read = name
		e.Passages = append(e.Passages, runners.Passage{Name: name, Each: []evidence.Span{s}, Spans: []evidence.Span{s}})
	}
	variants := []compress.Variant{compress.Full}
	for name := range p.Variants {
		v, err := compress.Parse(name)
		if err != nil {
			t.Fatal(err)
		}
		variants = append(variants, v)
	}
	numbers, worst := 0, 0.0
	for i := range e.Passages { // each in its turn is the one whose attention is told
		e.Read = e.Passages[i].Name
		r := local.New(m, func(ids []int32) string { return strings.Repeat("x", len(ids)) })
		out, err := runners.Answer(context.Background(), r, runners.Request{Prompt: p.IDs, Variants: runners.VariantsOf(variants), MaxNew: p.AnswerRows + 1, Evidence: e})
		if err != nil {
			t.Fatal(err)
		}
		if got := out[0][0].Tokens; !slices.Equal(got, p.Tokens[:len(got)]) {
			t.Fatalf("the full cache answers %v, the record %v", got, p.Tokens)
		}
		for j, v := range variants[1:] {
			raw, ok := p.Variants[v.String()].Summary[e.Read]
			if !ok {
				continue
			}
			var want evidence.Kept
			if err := json.Unmarshal(raw, &want); err != nil {
				t.Fatal(err)
			}
			got := out[0][j+1].Evidence.Kept[i]
			if got.WholeHeads != want.WholeHeads {
				t.Errorf("%s: %d heads have all of %s, want %d", v, got.WholeHeads, e.Read, want.WholeHeads)
			}
			pairs := [][2]evidence.Share{{got.Retention, want.Retention}, {got.GERLayers, want.GERLayers}, {got.GERModel, want.GERModel}, {out[0][j+1].Evidence.Least, want.Least()}}
			for k := range want.Rho {
				pairs = append(pairs, [2]evidence.Share{got.Rho[k], want.Rho[k]})
			}
			for _, x := range pairs {
				numbers++
				off := math.Abs(float64(x[0] - x[1]))
				if worst = max(worst, off); !(off <= 5e-5) {
					t.Errorf("%s, %s: %v, want %v (%+v, want %+v)", v, e.Read, x[0], x[1], got, want)
				}
			}
		}
	}
	t.Logf("%s: %d numbers, off by at most %.1e", p.ID, numbers, worst)
	if numbers == 0 {
		t.Error("nothing was compared")
	}
}

// TestEvidenceSmolLM2 holds the real small model to the recorded audits of prompts of 2K tokens, which takes minutes: ρ of
// each token of the value, its retention, the heads that have all of it, and with that every label.
func TestEvidenceSmolLM2(t *testing.T) {
	if os.Getenv("SNAPBENCH_LONG") != "1" {
		t.Skip("SNAPBENCH_LONG=1 runs it: it takes minutes")
	}
	var records []struct {
		ID       string
		Value    evidence.Span
		Answer   []int32
		Variants map[string]struct {
			Rho   []float64
			Ret   float64
			Whole int
		}
	}
	sharedtest.JSON(t, sharedtest.Path(t, "observe", "labels.json"), &records)
	var prompts []struct{ Seed, Prompt string }
	sharedtest.JSON(t, sharedtest.Path(t, "smollm2", "needle.json"), &prompts)
	files, err := models.Open(sharedtest.SmolLM2(t))
	if err != nil {
		t.Fatal(err)
	}
	defer files.Close()
	text, _, err := tokenizer.OpenGGUF(files.GGUF.Metadata())
	if err != nil {
		t.Fatal(err)
	}
	d, err := cpu.New()
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	m, err := models.Load(d, files, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	r := local.New(m, func(ids []int32) string { return strings.Repeat("x", len(ids)) })
	numbers, labels, otherwise, worst := 0, 0, 0, 0.0
	for _, record := range records {
		for _, p := range prompts {
			if p.Seed != record.ID {
				continue
			}
			ids, err := text.Encode(p.Prompt, true)
			if err != nil {
				t.Fatal(err)
			}
			span := []evidence.Span{record.Value}
			e := &runners.Evidence{Read: "value", Says: func(text string) bool { return len(text) >= len(record.Answer) }, Passages: []runners.Passage{{Name: "value", Each: span, Spans: span}}}
			variants := []compress.Variant{compress.Full}
			for name := range record.Variants {
				v, err := compress.Parse(name)
				if err != nil {
					t.Fatal(err)
				}
				variants = append(variants, v)
			}
			out, err := runners.Answer(context.Background(), r, runners.Request{Prompt: ids, Variants: runners.VariantsOf(variants), MaxNew: len(record.Answer), Evidence: e})
			if err != nil {
				t.Fatal(err)
			}
			for j, v := range variants[1:] {
				want, got := record.Variants[v.String()], out[0][j+1].Evidence
				if len(got.Kept[0].Rho) != len(want.Rho) {
					t.Fatalf("%s, %s: %d tokens, want %d", record.ID, v, len(got.Kept[0].Rho), len(want.Rho))
				}
				if math.Abs(float64(got.Kept[0].Retention)-want.Ret) > 2e-3 || math.Abs(float64(got.Kept[0].WholeHeads-want.Whole)) > 2 {
					t.Errorf("%s, %s: %v is kept, %d heads have all; want %v, %d", record.ID, v, got.Kept[0].Retention, got.Kept[0].WholeHeads, want.Ret, want.Whole)
				}
				for k, w := range want.Rho {
					numbers++
					off := math.Abs(float64(got.Kept[0].Rho[k]) - w)
					if worst = max(worst, off); !(off <= 0.01) { // a position at the cut may be another
						t.Errorf("%s, %s: ρ of token %d is %v, want %v", record.ID, v, k, got.Kept[0].Rho[k], w)
					}
				}
				labels++
				if results.EvidenceLabel(float64(got.Least)) != results.EvidenceLabel(slices.Min(want.Rho)) {
					otherwise++
					t.Logf("%s, %s: least ρ %v, recorded %v", record.ID, v, got.Least, slices.Min(want.Rho))
				}
			}
			t.Logf("%s: %d numbers so far, off by at most %.1e; %d labels, %d otherwise", record.ID, numbers, worst, labels, otherwise)
		}
	}
	if numbers == 0 || otherwise > labels/50 {
		t.Errorf("%d numbers were compared; of %d labels %d are others", numbers, labels, otherwise)
	}
}
