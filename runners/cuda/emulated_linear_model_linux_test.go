package cuda_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/cuda"
	"github.com/snapbench/snapbench/runners/cuda/emulator"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/local"
	"github.com/snapbench/snapbench/runners/models"
	"github.com/snapbench/snapbench/runners/modeltest"
	"github.com/snapbench/snapbench/runners/ref"
	"github.com/snapbench/snapbench/runners/sharedtest"
)

// linearModel is a small Qwen3.5 with random weights.
func linearModel(t *testing.T, d engine.Device, keySize int) (*models.Model, error) {
	config, err := models.ParseConfig("config.json", fmt.Appendf(nil, `{"model_type": "qwen3_5_text", "num_hidden_layers": 3, "hidden_size": 16, "intermediate_size": 16,
		"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16, "vocab_size": 60, "max_position_embeddings": 4096, "linear_num_key_heads": 2,
		"linear_num_value_heads": 4, "linear_key_head_dim": %d, "linear_value_head_dim": 8, "full_attention_interval": 2, "tie_word_embeddings": true}`, keySize), nil)
	if err != nil {
		t.Fatal(err)
	}
	return models.Load(d, models.RandomFiles(config, "tiny", 5), nil)
}

func linearTokens(n int) []int32 {
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = int32((i*i*7 + 11*i + 5) % 60)
	}
	return ids
}

// TestEmulatedLinearModel: a model with linear attention reads a prompt and decodes on an emulated card as on the reference.
// In two runs, with the prompt in blocks of other lengths, and of steps that are recorded a sequence has the bits that it
// has alone.
func TestEmulatedLinearModel(t *testing.T) {
	const n, steps, rows = 40, 4, 9
	variants, err := compress.ParseAll("full;recent(cap=9);snapkv(cap=12,w=4)")
	if err != nil {
		t.Fatal(err)
	}
	// run returns the prompt's logits, those of a sequence of each variant in company, and of each alone.
	run := func(d engine.Device, block int) (prompt []float32, together [][]float32, alone [][][]float32) {
		m, err := linearModel(t, d, 8)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		m.SetBlock(block)
		read := func() *models.Prefilled {
			p, err := m.Prefill(t.Context(), models.Prompt{IDs: linearTokens(n), Variants: variants, Room: steps, Twins: true})
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		first, second := read(), read()
		defer first.Free()
		defer second.Free()
		all := append(append(append([]models.Sequence{}, first.Sequences...), first.Twins...), second.Sequences...)
		together = decode(t, m, all, steps)
		for _, s := range second.Twins {
			alone = append(alone, decode(t, m, []models.Sequence{s}, steps))
		}
		return first.Logits, together, alone
	}
	for _, kind := range []engine.Type{engine.Float32, engine.BFloat16} {
		d, _ := cuda.Emulated(t, emulator.H100, kind)
		prompt, together, alone := run(d, n)
		again, _, _ := run(d, 7)
		if !slices.Equal(prompt, again) {
			t.Errorf("%v: a prompt in blocks of 7 tokens has other logits than at once", kind)
		}
		for step := range steps {
			for row := range rows {
				if !slices.Equal(together[step*rows+row], alone[row%len(variants)][step]) {
					t.Errorf("%v, step %d: row %d of %d has other bits than alone", kind, step, row, rows)
				}
			}
			if slices.Equal(together[step*rows], together[step*rows+1]) {
				t.Errorf("%v, step %d: what full attention keeps changes nothing", kind, step)
			}
		}
		if kind != engine.Float32 {
			continue
		}
		wantPrompt, wantTogether, _ := run(ref.New(), n)
		for i, want := range append([][]float32{wantPrompt}, wantTogether...) {
			got := append([][]float32{prompt}, together...)[i]
			for j, x := range want {
				if apart := math.Abs(float64(x - got[j])); !(apart <= 1e-4) {
					t.Fatalf("logits %d: number %d is %g, want %g", i, j, got[j], x)
				}
			}
		}
	}
}

// TestEmulatedLinearAnswers: questions behind a prompt are answered through the engine, audit included, as on the reference,
// and rows say the same bytes.
func TestEmulatedLinearAnswers(t *testing.T) {
	variants, err := compress.ParseAll("full;snapkv(cap=20,w=4,k=3)")
	if err != nil {
		t.Fatal(err)
	}
	request := runners.Request{Prompt: linearTokens(45), Question: []int32{7, 9, 3}, Variants: runners.VariantsOf(variants), MaxNew: 4, Fidelity: true}
	second := request
	second.Question = []int32{11, 2}
	answers := func(d engine.Device) [][]runners.Completion {
		m, err := linearModel(t, d, 8)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		out, err := runners.Answer(t.Context(), local.New(m, func([]int32) string { return "" }), request, second)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	d, _ := cuda.Emulated(t, emulator.H100, engine.Float32)
	got, want := answers(d), answers(ref.New())
	for i, list := range want {
		for j, w := range list {
			g := got[i][j]
			if g.Err != nil || w.Err != nil || len(w.Tokens) != 4 || !slices.Equal(g.Tokens, w.Tokens) {
				t.Errorf("question %d, %s: %v, want %v (%v, %v)", i, variants[j], g.Tokens, w.Tokens, g.Err, w.Err)
			}
			if g.CacheBytes != w.CacheBytes || g.FixedBytes != w.FixedBytes || g.FixedBytes == 0 {
				t.Errorf("question %d, %s: %d bytes, %d fixed; want %d, %d", i, variants[j], g.CacheBytes, g.FixedBytes, w.CacheBytes, w.FixedBytes)
			}
		}
	}
}

// TestEmulatedLinearPlan: what a prompt takes on a card, states and the memory of linear attention included, is in the plan.
func TestEmulatedLinearPlan(t *testing.T) {
	const n, room = 300, 5
	d, _ := cuda.Emulated(t, emulator.H100, engine.BFloat16)
	m, err := linearModel(t, d, 16)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	variants, err := compress.ParseAll("full;recent(cap=9)")
	if err != nil {
		t.Fatal(err)
	}
	d.ResetPeak()
	before := d.Memory().InUse
	done, err := m.Prefill(t.Context(), models.Prompt{IDs: linearTokens(n), Variants: variants, Room: room})
	if err != nil {
		t.Fatal(err)
	}
	defer done.Free()
	plan := m.Plan(variants, n, room, false)
	took := d.Memory().Peak - before
	if said := plan.Total(); took > said || said > 2*took {
		t.Errorf("a prompt takes %d bytes, planned %d", took, said)
	}
	for i, s := range done.Sequences {
		held := int64(0)
		for _, c := range s.Caches {
			held += c.Bytes()
		}
		if said := plan.Caches[i]; held > said || said > held+20*512 { // blocks of the arena
			t.Errorf("%s holds %d bytes, planned %d", variants[i], held, said)
		}
	}
}

// TestEmulatedLinearRefuses: sizes that the kernels do not serve are refused before weights are loaded.
func TestEmulatedLinearRefuses(t *testing.T) {
	d, card := cuda.Emulated(t, emulator.H100, engine.BFloat16)
	_, err := linearModel(t, d, 129)
	if !errors.Is(err, models.ErrLinear) || !strings.Contains(err.Error(), "key heads of 129: at most 128 are served on cuda") {
		t.Errorf("key heads of 129: %v", err)
	}
	if len(card.Launches()) > 0 {
		t.Error("weights were made")
	}
	if err := cuda.ServesLinear(engine.LinearAttention{KeyHeads: 1, ValueHeads: 1, KeySize: 128, ValueSize: 12000, Kernel: 4}); err == nil || !strings.Contains(err.Error(), "value heads of 12000") {
		t.Errorf("value heads of 12000: %v", err)
	}
}

// TestEmulatedLinearGolden holds an emulated card in float32 to the recorded checkpoint with linear attention: its states,
// activations, logits, and what the full cache decodes.
func TestEmulatedLinearGolden(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	if os.Getenv("SNAPBENCH_LONG") != "" {
		t.Skip("TestEmulatedGoldens has it")
	}
	d, _ := cuda.Emulated(t, emulator.H100, engine.Float32)
	modeltest.Golden(t, d, sharedtest.Path(t, "families", "qwen3_5"), 1e-3, 1e-5, "full")
}
