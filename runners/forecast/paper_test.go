package forecast

import (
	"math"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners/cpu"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/models"
	"github.com/snapbench/snapbench/runners/ref"
	"github.com/snapbench/snapbench/runners/speed"
)

// A host on paper holds at least what a host holds of a model's weights, and little more, however they are stored and with
// biases; a host that has as much memory is not refused.
func TestHostOnPaper(t *testing.T) {
	processor, err := cpu.New()
	if err != nil {
		t.Fatal(err)
	}
	defer processor.Close()
	for name, text := range map[string]string{
		"llama": `{"model_type": "llama"}`,
		"qwen2": `{"model_type": "qwen2"}`, // has biases
		"gpt_oss": `{"model_type": "gpt_oss", "num_local_experts": 4, "num_experts_per_tok": 2, "sliding_window": 9, "attention_bias": true,
			"quantization_config": {"quant_method": "mxfp4"}}`,
	} {
		text = strings.TrimSuffix(text, "}") + `, "num_hidden_layers": 2, "hidden_size": 256, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 64,
			"intermediate_size": 512, "vocab_size": 320, "max_position_embeddings": 256, "rms_norm_eps": 1e-5, "hidden_act": "silu", "rope_theta": 10000}`
		config, err := models.ParseConfig("config.json", []byte(text), nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, stored := range []string{"", "fp8", "q8_0", "q4_k"} {
			if config.Experts > 0 && stored != "" {
				continue
			}
			if stored != "" {
				config.Stored = stored
			}
			files := models.RandomFiles(config, name, 1)
			for _, d := range []engine.Device{processor, ref.New()} {
				real, err := models.Load(d, files, nil)
				if err != nil {
					t.Fatal(err)
				}
				has := real.Device().Memory()
				m, err := onPaper(files, name, "auto", d.Name(), 2<<30)
				if err != nil {
					t.Fatal(err)
				}
				got, most := m.Device().Memory(), 1.25 // of rows that fill panels, which are few here
				if d.Name() == "ref" {
					most = 8 // packed weights are counted as numbers
				}
				if got.Weights < has.Weights || got.InUse < has.InUse || float64(got.Weights) > most*float64(has.Weights) {
					t.Errorf("%s, %q on %s: %d bytes of weights, %d in all; it takes %d and %d", name, stored, d.Name(), got.Weights, got.InUse, has.Weights, has.InUse)
				}
				if _, err := onPaper(files, name, "auto", d.Name(), got.InUse); err != nil {
					t.Errorf("%s, %q on a host of %d bytes: %v", name, stored, got.InUse, err)
				}
				// Of the input table, which is not the output's, a step reads its tokens' rows alone.
				if read, table := weightsRead(m, 1), real.IdleTableBytes(); table == 0 || read > got.Weights-table || real.Experts == 0 && d.Name() == "cpu" && read != got.Weights-table {
					t.Errorf("%s, %q on %s: a step reads %d bytes of %d, the table has %d", name, stored, d.Name(), read, got.Weights, table)
				}
				real.Close()
			}
		}
	}
}

// What a run is planned to hold is no less than what its samples take that are in hand together, of whatever length they are.
func TestForecastHoldsAtLeast(t *testing.T) {
	files := shape(t, "llama-3-8b")
	m, err := onPaper(files, "llama-3-8b", "auto", "cuda:0", 80<<30)
	if err != nil {
		t.Fatal(err)
	}
	variants := grid(t, "")[:3]
	for _, tokens := range []int{1, 63, 127, 129, 1025, 8191, 8193, 16383, 20001} {
		x := sample{tokens: tokens, most: 30, variants: variants}
		s := &stream{m: m, shares: map[string]models.Plan{}}
		got, want := s.plan(x).Total(), m.Plan(variants, tokens, 30, false).Total()
		if got < want || float64(got) > float64(want)*(1+1.0/60) {
			t.Errorf("%d tokens: %d bytes are planned, they take %d", tokens, got, want)
		}
	}
}

// A step that was measured with a budget in bytes has the caches of that budget.
func TestRatesOfBytes(t *testing.T) {
	r := Rates{Device: "cuda:0", Memory: 1 << 30, Roofs: speed.Roofs{Bandwidth: 1e12, Products: 1e14, Attention: 1e14}}
	share := func(variant string) float64 {
		r.Rows = []speed.Row{{Model: "shape:tiny", DType: "bfloat16", Length: 4096, Batch: 4, Variant: variant, Fits: true, NewTokens: 8, PrefillSeconds: 1e-3, StepSeconds: 1e-3}}
		p, err := r.open(find)
		if err != nil {
			t.Fatal(err)
		}
		return p.steps[0].share
	}
	tokens, bytes := share("recent(cap=1024)"), share("recent(cap=bytes:1024)")
	if math.Abs(bytes/tokens-1) > 1e-9 {
		t.Errorf("a share of %v of the roof by bytes, %v by as many tokens", bytes, tokens)
	}
}

// That a prompt's recurrence was not measured is said, unless it was.
func TestRecurrenceIsSaid(t *testing.T) {
	ask := Asked{Name: "shape:qwen3.5-9b", Files: shape(t, "qwen3.5-9b"), DType: "auto", Rates: recorded(t, "h200"), Find: find, Tasks: longbench(t, 1), Variants: []compress.Variant{compress.Full}}
	for _, measured := range []bool{false, true} {
		if measured {
			ask.Rates.Rows = []speed.Row{{Model: "shape:qwen3.5-9b", DType: "bfloat16", Length: 4096, Batch: 1, Variant: "full", Fits: true, NewTokens: 8, PrefillSeconds: 1, StepSeconds: 1}}
		}
		f, err := Make(ask)
		if err != nil {
			t.Fatal(err)
		}
		if said := strings.Contains(strings.Join(f.Notes, "; "), "the recurrence of 24 layers"); said == measured {
			t.Errorf("measured %v: %q", measured, f.Notes)
		}
	}
}
