package forecast

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/datasets"
	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/local"
	"github.com/snapbench/snapbench/runners/models"
)

// opened are tasks by name.
func opened(t *testing.T, name string, o datasets.Options) []datasets.Task {
	t.Helper()
	task, err := datasets.Open(name, o)
	if err != nil {
		t.Fatal(err)
	}
	return []datasets.Task{task}
}

// What a plan counts is what the embedded model's run is asked for: prompts, their tokens, and the steps of answers that have all
// their tokens, the first of which comes of the prompt itself.
func TestCountsOfRuns(t *testing.T) {
	m, err := local.Open(context.Background(), local.Options{Model: local.DefaultModel, Device: "cpu", Tokenizer: "native", DType: "auto"}, t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	about := m.Reader()
	variants := grid(t, "")[:3]
	dry := datasets.Options{Limit: 3, MaxNew: 5, Own: &datasets.LongBenchOptions{DryText: true, MaxLength: 700}}
	ruler := &datasets.RulerOptions{}
	if d, err := datasets.Define("ruler.niah_single_2"); err == nil {
		ruler = d.Own().(*datasets.RulerOptions)
	}
	ruler.Lengths, ruler.Samples = []int{about.ContextLength, 1024}, 1 // prompt and answer fill the context to the last token
	apart := *ruler
	apart.Protocol, apart.Lengths = "kvpress", []int{1024}
	dryApart := &datasets.LongBenchOptions{DryText: true, MaxLength: 700, Protocol: "kvpress"}
	for name, c := range map[string]struct {
		task   string
		o      datasets.Options
		within float64 // of tokens and steps, that an estimate is away
	}{
		"needle":          {"niah", datasets.Options{Own: &datasets.NeedleOptions{Lengths: []int{512, 900}, Depths: []float64{0, 50}, Trials: 1}}, 0},
		"needle, one new": {"niah", datasets.Options{MaxNew: 1, Own: &datasets.NeedleOptions{Lengths: []int{512}, Depths: []float64{50}, Trials: 1}}, 0},
		"uuids":           {"niah", datasets.Options{MaxNew: 20, Own: &datasets.NeedleOptions{Lengths: []int{700}, Depths: []float64{50}, Trials: 1, Value: "uuids"}}, 0},
		"longbench":       {"trec", dry, 0},
		"ruler":           {"ruler.niah_single_2", datasets.Options{Own: ruler}, 0.05},
		"ruler, apart":    {"ruler.niah_single_2", datasets.Options{Own: &apart}, 0.1},
		"longbench apart": {"trec", datasets.Options{Limit: 2, MaxNew: 32, Own: dryApart}, 0.1},
	} {
		tasks := opened(t, c.task, c.o)
		f, err := Make(Asked{Name: "embedded", Files: &models.Files{Config: m.Engines[0].Model().Config}, DType: "auto", Rates: recorded(t, "h200"), Find: find, Tasks: tasks, Variants: variants})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		tokens, steps, prompts := 0, 0, 0
		for _, p := range (&runners.Job{Tasks: tasks}).Places() {
			s := p.Task.Sample(p.Number, about)
			if s.Err != nil {
				t.Fatal(s.Err)
			}
			prompts, tokens, steps = prompts+1, tokens+len(s.IDs)+len(s.Question), steps+len(variants)*(len(s.Question)+s.MaxNew-1)
		}
		if f.Prompts != prompts || math.Abs(float64(f.Tokens-tokens)) > c.within*float64(tokens) || math.Abs(float64(f.RowSteps-steps)) > c.within*float64(steps) {
			t.Errorf("%s: %d prompts of %d tokens, %d row-steps; the run has %d, %d, %d", name, f.Prompts, f.Tokens, f.RowSteps, prompts, tokens, steps)
		}
		var text bytes.Buffer
		if err := f.Print(&text); err != nil || strings.Contains(text.String(), "NaN") || strings.Contains(text.String(), "Inf") {
			t.Errorf("%s: %v: %s", name, err, text.String())
		}
		if _, err := json.Marshal(f); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A list by layer has a value for each layer in which policies choose, as in a run; and choosing is counted in these alone.
func TestForecastOfHybrids(t *testing.T) {
	files := shape(t, "gemma-3-12b")
	c := files.Config
	full := len(c.PolicyLayers())
	if full == c.Layers {
		t.Fatal("no layers slide")
	}
	ask := Asked{Name: "shape:gemma-3-12b", Files: files, DType: "auto", Rates: recorded(t, "h200"), Find: find, Tasks: longbench(t, 1)}
	of := func(layers int) (*Forecast, error) {
		v, err := compress.Parse("recent(cap=" + strings.TrimSuffix(strings.Repeat("64|", layers), "|") + ")")
		if err != nil {
			t.Fatal(err)
		}
		ask.Variants = []compress.Variant{v}
		return Make(ask)
	}
	f, err := of(full)
	if err != nil {
		t.Fatal(err)
	}
	if want := ask.Rates.Choice * float64(full*f.Prompts); math.Abs(f.Choice-want) > 1e-9 || want == 0 {
		t.Errorf("choosing takes %v s, want %v", f.Choice, want)
	}
	if _, err := of(c.Layers); err == nil {
		t.Errorf("a list of %d values is taken, policies choose in %d layers", c.Layers, full)
	}
}

// A variant that cannot serve a prompt is an error of the run's row, so it takes no steps and no memory, and the plan says so.
func TestForecastOfWhatCannotBe(t *testing.T) {
	tasks := opened(t, "niah", datasets.Options{Own: &datasets.NeedleOptions{Lengths: []int{600, 4000}, Depths: []float64{50}, Trials: 1}})
	ask := Asked{Name: "shape:llama-3-8b", Files: shape(t, "llama-3-8b"), DType: "auto", Rates: recorded(t, "h200"), Find: find, Tasks: tasks}
	make := func(text string) *Forecast {
		var err error
		if ask.Variants, err = compress.ParseAll(text); err != nil {
			t.Fatal(err)
		}
		f, err := Make(ask)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		return f
	}
	alone := make("full")
	per := alone.RowSteps / 2
	for _, text := range []string{"full;snapkv(cap=5%,w=32)", "full;snapkv(cap=bytes:5%,w=32)+f16"} { // 30 of 600 tokens, fewer than the window
		f := make(text)
		if f.RowSteps != 3*per || !strings.Contains(strings.Join(f.Notes, "\n"), "1 of 4 rows") || !strings.Contains(strings.Join(f.Notes, "\n"), "window of 32") {
			t.Errorf("%s: %d row-steps, want %d; %q", text, f.RowSteps, 3*per, f.Notes)
		}
	}
	ask.Variants, _ = compress.ParseAll("snapkv(cap=0.1%,w=32)")
	if f, err := Make(ask); err == nil || !strings.Contains(err.Error(), "window of 32") {
		t.Errorf("no row can be answered: %+v, %v", f, err)
	}
}

// Rates that no card has are refused, not divided by.
func TestRatesAreFinite(t *testing.T) {
	for _, change := range []func(*Rates){
		func(r *Rates) { r.Rows[0].PrefillSeconds = 5e-324 },
		func(r *Rates) { r.Rows[0].StepSeconds = 5e-324 },
		func(r *Rates) { r.Roofs.Products, r.Roofs.Attention = 5e-324, 5e-324 },
	} {
		r := Rates{About: "a made-up card", Device: "cuda:0", Memory: 1e11, Roofs: recorded(t, "h200").Roofs, Rows: append(recorded(t, "h200").Rows[:0:0], recorded(t, "h200").Rows...)}
		change(&r)
		if f, err := Make(Asked{Name: "shape:llama-3-8b", Files: shape(t, "llama-3-8b"), DType: "auto", Rates: r, Find: find, Tasks: longbench(t, 1), Variants: grid(t, "")[:1]}); err == nil {
			t.Errorf("%+v", f)
		}
	}
}

// Every shape that can be run can be planned, and weights count as they are stored: gpt-oss's experts in MXFP4, projections in FP8
// by half of their bytes. A checkpoint's config.json says the same.
func TestForecastOfEveryShape(t *testing.T) {
	tasks := opened(t, "niah", datasets.Options{Own: &datasets.NeedleOptions{Lengths: []int{1000}, Depths: []float64{50}, Trials: 1}})
	rates := recorded(t, "h200")
	rates.Memory = 1e12
	for _, name := range append(models.Shapes(), "qwen3-30b-a3b,storage=fp8", "qwen3-8b,storage=fp8", "qwen3-30b-a3b,storage=q4_k", "llama-3-8b,storage=q8_0") {
		files, err := models.OpenShape(name)
		if err != nil {
			t.Fatal(err)
		}
		f, err := Make(Asked{Name: "shape:" + name, Files: files, DType: "auto", Rates: rates, Find: find, Tasks: tasks, Variants: grid(t, "")[:2]})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if want := float64(files.Bytes); math.Abs(float64(f.Weights)/want-1) > 0.035 { // rows of codes have scales of their own on a card
			t.Errorf("%s: %d bytes of weights, its files have %v", name, f.Weights, want)
		}
	}
	for text, want := range map[string]string{
		"": "", `"quant_method": "mxfp4"`: "mxfp4", `"quant_method": "fp8"`: "fp8",
		`"quant_method": "compressed-tensors", "format": "float-quantized"`: "fp8",
	} {
		config := `{"model_type": "llama", "num_hidden_layers": 2, "hidden_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 128,
			"vocab_size": 128, "max_position_embeddings": 512, "rms_norm_eps": 1e-5, "hidden_act": "silu"`
		if text != "" {
			config += `, "quantization_config": {` + text + `}`
		}
		if c, err := models.ParseConfig("config.json", []byte(config+"}"), nil); err != nil || c.Stored != want {
			t.Errorf("%s: stored as %q, %v; want %q", text, c.Stored, err, want)
		}
	}
}
