package cuda_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/cuda"
	"github.com/snapbench/snapbench/runners/cuda/emulator"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/evidence"
	"github.com/snapbench/snapbench/runners/local"
	"github.com/snapbench/snapbench/runners/models"
	"github.com/snapbench/snapbench/runners/models/embedded"
	"github.com/snapbench/snapbench/runners/modeltest"
	"github.com/snapbench/snapbench/runners/ref"
)

// TestEmulatedGoldens runs the reference checkpoints in float32 through models and
// kernels on an emulated card.
func TestEmulatedGoldens(t *testing.T) {
	if os.Getenv("SNAPBENCH_LONG") == "" {
		t.Skip("takes many minutes: SNAPBENCH_LONG=1 runs it")
	}
	d, _ := cuda.Emulated(t, emulator.H100, engine.Float32)
	modeltest.Goldens(t, d, 1e-3, 1e-5)
}

// TestEmulatedCacheFormats decodes behind caches in those formats that have kernels.
func TestEmulatedCacheFormats(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	d, _ := cuda.Emulated(t, emulator.H100, engine.Float32)
	modeltest.CacheFormats(t, d)
}

// TestEmulatedMeasures holds what an emulated card measures for other policies to the
// originals' scores.
func TestEmulatedMeasures(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	d, _ := cuda.Emulated(t, emulator.H100, engine.Float32)
	modeltest.Measures(t, d, 1e-5)
}

// TestEmulatedAttentionVectors holds an emulated card to what models with soft caps and sinks kept.
func TestEmulatedAttentionVectors(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	d, _ := cuda.Emulated(t, emulator.H100, engine.Float32)
	modeltest.Attention(t, d, 1e-5)
}

// TestEmulatedModel has the embedded model answer on an emulated card: the first tokens are
// those that transformers chose, and under a policy the kept positions and the answer are
// those of the reference device.
func TestEmulatedModel(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	data, err := os.ReadFile(filepath.FromSlash("../models/embedded/testdata/greedy.json"))
	if err != nil {
		t.Fatal(err)
	}
	var greedy struct {
		Prompts []struct {
			IDs, Tokens []int32
		}
	}
	if err := json.Unmarshal(data, &greedy); err != nil {
		t.Fatal(err)
	}
	dir, err := embedded.Extract(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	variants, err := compress.ParseAll("full;snapkv(cap=24,w=8,k=5,gqa=kv_head_mean)")
	if err != nil {
		t.Fatal(err)
	}
	prompt, tokens := greedy.Prompts[1], 4
	answer := func(d engine.Device) []runners.Completion {
		m := modeltest.Load(t, d, dir)
		defer m.Close()
		request := runners.Request{Prompt: prompt.IDs, Variants: runners.VariantsOf(variants), MaxNew: tokens, Stop: runners.Stop{Tokens: []int32{0}}, Positions: true}
		span := []evidence.Span{{10, 14}}
		request.Evidence = &runners.Evidence{Read: "value", Says: func(string) bool { return false }, Passages: []runners.Passage{{Name: "value", Each: span, Spans: span}}}
		out, err := runners.Answer(context.Background(), local.New(m, func([]int32) string { return "" }), request)
		if err != nil {
			t.Fatal(err)
		}
		return out[0]
	}
	d, card := cuda.Emulated(t, emulator.H100, engine.Float32)
	got, want := answer(d), answer(ref.New())
	if !slices.Equal(got[0].Tokens, prompt.Tokens[:tokens]) {
		t.Errorf("tokens %v, want %v", got[0].Tokens, prompt.Tokens[:tokens])
	}
	for i, w := range want {
		g := got[i]
		if g.Err != nil || w.Err != nil || !slices.Equal(g.Tokens, w.Tokens) || !reflect.DeepEqual(g.Positions, w.Positions) {
			t.Errorf("%s: tokens %v, want %v; positions %v, want %v (%v, %v)", w.Variant, g.Tokens, w.Tokens, g.Positions, w.Positions, g.Err, w.Err)
			continue
		}
		if off := math.Abs(float64(g.Evidence.Least - w.Evidence.Least)); !(off <= 1e-4) || g.Evidence.Kept[0].Retention != w.Evidence.Kept[0].Retention {
			t.Errorf("%s: evidence %+v, want %+v", w.Variant, g.Evidence, w.Evidence)
		}
	}
	t.Logf("%d kernels ran", len(card.Launches()))
}

// TestEmulatedMixtral: a card of 80 GiB refuses the whole of Mixtral, 87 GiB, before any
// weight is made.
func TestEmulatedMixtral(t *testing.T) {
	d, card := cuda.Emulated(t, emulator.H100, engine.BFloat16)
	files, err := models.OpenShape("mixtral-8x7b")
	if err != nil {
		t.Fatal(err)
	}
	_, err = models.Load(d, files, nil)
	var full *engine.OutOfMemory
	if !errors.As(err, &full) || full.Need>>30 != 86 || full.Free > 80<<30 || full.Free < 70<<30 {
		t.Errorf("got %v", err)
	}
	if n := len(card.Launches()); n > 0 {
		t.Errorf("%d kernels ran", n)
	}
}

// TestEmulatedCompany: in float32 a sequence's logits have the same bits decoded alone and
// in a batch of more rows than go through the package's own products in other types, some
// of which read a part of their caches by way of the host.
func TestEmulatedCompany(t *testing.T) {
	const rows, steps = 72, 2
	d, _ := cuda.Emulated(t, emulator.H100, engine.Float32)
	m := modeltest.Load(t, d, "shape:tiny")
	defer m.Close()
	var sequences []models.Sequence
	variants, err := compress.ParseAll("full;recent(cap=9);quest(cap=9,page=4,recent=2)")
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range variants { // three different prompts; the other rows repeat them
		ids := make([]int32, 20+i)
		for j := range ids {
			ids[j] = int32(31*i+7*j) % int32(m.Vocab)
		}
		p, err := m.Prefill(context.Background(), models.Prompt{IDs: ids, Variants: []compress.Variant{v}, Room: 2 * steps})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Free()
		sequences = append(sequences, p.Sequences[0])
	}
	for len(sequences) < rows {
		s, err := m.Copy(sequences[len(sequences)-3])
		if err != nil {
			t.Fatal(err)
		}
		defer d.FreeCache(s.Caches...)
		sequences = append(sequences, s)
	}
	together := decode(t, m, sequences, steps)
	for i, s := range sequences[:3] {
		alone := decode(t, m, []models.Sequence{s}, steps)
		for step := range steps {
			for row := i; row < rows; row += 3 {
				if !slices.Equal(alone[step], together[step*rows+row]) {
					t.Fatalf("step %d: prompt %d alone and as row %d of %d", step, i, row, rows)
				}
			}
		}
	}
}

// decode feeds the same tokens to all sequences, and returns their logits step by step, in
// the order of the sequences within a step.
func decode(t *testing.T, m *models.Model, list []models.Sequence, steps int) (logits [][]float32) {
	t.Helper()
	b, err := m.NewDecoder(list)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	feed := make([]int32, len(list))
	for step := range steps {
		for i := range feed {
			feed[i] = int32(5 + step)
		}
		if _, err := b.Step(feed); err != nil {
			t.Fatal(err)
		}
		for i := range list {
			row := make([]float32, m.Vocab)
			b.Logits(i, row)
			logits = append(logits, row)
		}
	}
	return logits
}
