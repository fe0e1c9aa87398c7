package forecast

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/datasets"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/models"
	"github.com/snapbench/snapbench/runners/ref"
	"github.com/snapbench/snapbench/runners/speed"
)

func shape(t testing.TB, name string) *models.Files {
	t.Helper()
	f, err := models.OpenShape(name)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func find(model string) (*models.Files, error) {
	return models.OpenShape(strings.TrimPrefix(model, "shape:"))
}

func recorded(t testing.TB, card string) Rates {
	t.Helper()
	r, err := Recorded(card)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// grid is the one of 19 variants that figures are given of.
func grid(t testing.TB, more string) []compress.Variant {
	t.Helper()
	text := "full"
	for _, budget := range []string{"512", "1024", "2048"} {
		for _, w := range []string{"16", "32"} {
			for _, k := range []string{"5", "7", "13"} {
				text += ";snapkv(cap=" + budget + ",w=" + w + ",k=" + k + more + ")"
			}
		}
	}
	v, err := compress.ParseAll(text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// What a card was measured at comes out as it was measured; shares of the roofs are shares.
func TestRecordedRates(t *testing.T) {
	for _, name := range Cards() {
		r := recorded(t, name)
		p, err := r.open(find)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range append(append([]point{}, p.prefill...), p.steps...) {
			if !(x.share > 0.4 && x.share < 1) {
				t.Errorf("%s: a share of %.2f at %.0f", name, x.share, x.at)
			}
		}
		for _, row := range r.Rows {
			if row.StepSeconds == 0 {
				continue
			}
			m, err := onPaper(shape(t, strings.TrimPrefix(row.Model, "shape:")), row.Model, "auto", r.Device, r.Memory)
			if err != nil {
				t.Fatal(err)
			}
			v, err := compress.Parse(row.Variant)
			if err != nil {
				t.Fatal(err)
			}
			caches := int64(row.Batch) * m.Plan([]compress.Variant{v}, row.Length, row.NewTokens/2, false).Caches[0]
			if got := p.stepSeconds(m, row.Batch, caches); math.Abs(got/row.StepSeconds-1) > 1e-9 {
				t.Errorf("%s: a step of %d rows takes %v s, measured %v", name, row.Batch, got, row.StepSeconds)
			}
			// What is beyond the measured caches is at the best share.
			least := 1e9 / r.Roofs.Bandwidth
			if more := p.stepSeconds(m, row.Batch, caches+1e9) - row.StepSeconds; more < least || more > least/0.8 {
				t.Errorf("%s: a gigabyte more takes a step of %d rows %v s longer, %v at the roof", name, row.Batch, more, least)
			}
		}
	}
	if _, err := Recorded("b300"); err == nil || !strings.Contains(err.Error(), "h200") || !strings.Contains(err.Error(), "--rates") {
		t.Errorf("a card that is not known: %v", err)
	}
}

// Whole grids that were measured on the H200, and are not among its rates, are forecast within a tenth
// (docs/benchmarks.md: 0.881 s, and 1.059 and 1.067 s; full alone 0.75, and 0.80 and 0.81).
func TestForecastOfWhatWasMeasured(t *testing.T) {
	task, err := datasets.Open("niah", datasets.Options{MaxNew: 64, Own: &datasets.NeedleOptions{Lengths: []int{16384}, Depths: []float64{50}, Trials: 1}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		model, more string
		all         bool
		want        float64
	}{
		{"mistral-7b", "", true, 0.881}, {"mistral-7b", "", false, 0.75},
		{"llama-2-7b", ",gqa=query_head", true, 1.063}, {"llama-2-7b", "", false, 0.805},
	} {
		v := grid(t, c.more)
		if !c.all {
			v = v[:1]
		}
		f, err := Make(Asked{Name: c.model, Files: shape(t, c.model), DType: "auto", Rates: recorded(t, "h200"), Find: find, Tasks: []datasets.Task{fixed{task, 64}}, Variants: v})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s, %d variants: %.3f s, measured %.3f", c.model, len(v), f.Total, c.want)
		if math.Abs(f.Total/c.want-1) > 0.10 {
			t.Errorf("%s, %d variants: %.3f s, measured %.3f", c.model, len(v), f.Total, c.want)
		}
	}
}

// fixed is a task whose answers have so many tokens.
type fixed struct {
	datasets.Task
	most int
}

func (f fixed) MaxNew(int) int { return f.most }

func longbench(t testing.TB, limit int) []datasets.Task {
	t.Helper()
	var list []datasets.Task
	for _, set := range []string{"narrativeqa", "gov_report", "lcc"} {
		task, err := datasets.Open(set, datasets.Options{Limit: limit, Own: &datasets.LongBenchOptions{DryText: true}})
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, task)
	}
	return list
}

// Counts are those of the job, memory is that of the plan, a longer job takes longer, and a dearer hour costs more; what
// fits no card is said so.
func TestForecast(t *testing.T) {
	ask := Asked{Name: "shape:llama-3-8b", Files: shape(t, "llama-3-8b"), DType: "auto", Rates: recorded(t, "h200"), Find: find, Tasks: longbench(t, 20), Variants: grid(t, ""), Price: 3.5}
	f, err := Make(ask)
	if err != nil {
		t.Fatal(err)
	}
	if f.Prompts != 60 || f.RowSteps != 20*19*(127+511+63) || f.Tasks[1].RowSteps != 20*19*511 || f.Tasks[1].Prompts != 20 {
		t.Errorf("%d prompts, %d row-steps, %+v", f.Prompts, f.RowSteps, f.Tasks)
	}
	if sum := f.Prefill + f.Choice + f.Decode; f.Total != sum || math.Abs(f.Cost-3.5*f.Total/3600) > 1e-9 || f.Together < 19 || f.Together > 1024 {
		t.Errorf("%v s of %v, at %v; %v rows together", f.Total, sum, f.Cost, f.Together)
	}
	// 8.03e9 parameters; 131,072 bytes of cache a token in bfloat16.
	if f.Weights < 16.0e9 || f.Weights > 16.2e9 || f.Peak > f.Memory || f.Peak < f.Weights {
		t.Errorf("%d bytes of weights, %d at most of %d", f.Weights, f.Peak, f.Memory)
	}
	full, small := f.Variants[0], f.Variants[1]
	if per := float64(full.Longest) / float64(f.Longest+128); per < 131072 || per > 1.02*131072 {
		t.Errorf("the full cache takes %v bytes a token", per)
	}
	if small.Longest >= full.Longest/10 || small.FitsLongest <= full.FitsLongest || full.FitsLongest < 1 {
		t.Errorf("%+v, %+v", full, small)
	}
	more := ask
	more.Tasks = longbench(t, 40)
	if g, err := Make(more); err != nil || g.Total < 1.8*f.Total || g.Total > 2.2*f.Total {
		t.Errorf("twice the prompts: %v s, %v; once %v", g, err, f.Total)
	}
	var text bytes.Buffer
	if err := f.Print(&text); err != nil || !strings.Contains(text.String(), "at 3.50 an hour") || !strings.Contains(text.String(), "narrativeqa") {
		t.Errorf("%v: %s", err, text.String())
	}
	if _, err := json.Marshal(f); err != nil {
		t.Error(err)
	}
	for want, change := range map[string]func(*Asked){
		"do not fit":       func(a *Asked) { a.Files, a.Rates = shape(t, "mixtral-8x7b"), recorded(t, "h100") },
		"context":          func(a *Asked) { a.Files = shape(t, "llama-3-8b,context=700") },
		"of which":         func(a *Asked) { a.Rates.Memory = 21e9 },
		"unknown dtype":    func(a *Asked) { a.DType = "int4" },
		"variants":         func(a *Asked) { a.Variants = nil },
		"price":            func(a *Asked) { a.Price = math.NaN() },
		"want one of each": func(a *Asked) { a.Rates.Rows = a.Rates.Rows[:1] },
	} {
		bad := ask
		bad.Tasks = longbench(t, 3)
		change(&bad)
		if want == "context" {
			bad.Tasks = []datasets.Task{fixed{sized{bad.Tasks[0]}, 64}}
		}
		if _, err := Make(bad); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q: %v", want, err)
		}
	}
}

// sized is a task that does not say what a model makes of it.
type sized struct{ datasets.Task }

// A model's plan on paper is that of a device of the same type.
func TestOnPaper(t *testing.T) {
	files, err := models.OpenShape("tiny")
	if err != nil {
		t.Fatal(err)
	}
	real, err := models.Load(ref.New(), files, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer real.Close()
	m, err := onPaper(files, "tiny", "float32", "cuda:0", 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := m.Device().Memory().Weights, real.Device().Memory().Weights; got != want {
		t.Errorf("%d bytes of weights, want %d", got, want)
	}
	p1, a1 := m.PrefillOperations(3000, models.Part{})
	p2, a2 := real.PrefillOperations(3000, models.Part{})
	if p1 != p2 || a1 != a2 {
		t.Errorf("%v and %v operations, want %v and %v", p1, a1, p2, a2)
	}
	v := grid(t, "")
	got, want := m.Plan(v, 3000, 10, false), real.Plan(v, 3000, 10, false)
	for i := range got.Caches {
		if got.Caches[i] < want.Caches[i] || float64(got.Caches[i]) > 1.5*float64(want.Caches[i])+1<<20 {
			t.Errorf("%s: %d bytes, want %d and what a card rounds up", v[i], got.Caches[i], want.Caches[i])
		}
	}
	if m.Device().Type() != engine.Float32 {
		t.Error(m.Device().Type())
	}
	// On a host it is the host's to the byte.
	if m, err = onPaper(files, "tiny", "auto", "cpu", 1<<30); err != nil {
		t.Fatal(err)
	}
	if got := m.Plan(v, 3000, 10, false); got.Total() != want.Total() || m.Block() != real.Block() {
		t.Errorf("%d bytes in blocks of %d, want %d and %d", got.Total(), m.Block(), want.Total(), real.Block())
	}
}

// Weights that a card leaves packed are counted as such, the room to unpack one too: a bfloat16 device's, no other's.
func TestPackedOnPaper(t *testing.T) {
	plan := func(spec, dtype string) (weights, prefill int64) {
		m, err := onPaper(shape(t, spec), spec, dtype, "cuda:0", 200<<30)
		if err != nil {
			t.Fatal(err)
		}
		return m.Device().Memory().Weights, m.Plan(grid(t, "")[:1], 4096, 10, false).Prefill
	}
	plain, read := plan("llama-3-8b", "bfloat16")
	for spec, share := range map[string]float64{"llama-3-8b,storage=q8_0": 34.0 / 64, "llama-3-8b,storage=q4_k": 144.0 / 512} {
		packed, unpacking := plan(spec, "bfloat16")
		if got := float64(packed) / float64(plain); math.Abs(got-share) > 1e-9 {
			t.Errorf("%s: %v of the bytes of 16 bits, want %v", spec, got, share)
		}
		if got, want := unpacking-read, int64(2*2*14336*4096); got < want || got > want+want/50 { // gate and up
			t.Errorf("%s: a prefill is planned with %d bytes more, want %d for the largest weight", spec, got, want)
		}
		if got, _ := plan(spec, "float16"); got != plain {
			t.Errorf("%s in float16: %d bytes, want %d", spec, got, plain)
		}
	}
}

// A report of snapbench speed is rates; what is none is said so.
func TestMeasured(t *testing.T) {
	report := speed.Report{About: "cuda:0: a made-up card", Roofs: speed.Roofs{Bandwidth: 1e12, Products: 1e14, Attention: 1e14}, Rows: []speed.Row{
		{Model: "shape:tiny", DType: "bfloat16", Length: 1024, Batch: 4, Variant: "full", Fits: true, NewTokens: 8, PrefillSeconds: 1e-3, StepSeconds: 1e-3, Plan: speed.Footprint{Weights: 1e6, Free: 1e9}},
		{Model: "shape:tiny", DType: "bfloat16", Length: 1 << 20, Batch: 1, Variant: "full"},
	}}
	data, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "speed.json")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	r, err := Measured(path)
	if err != nil || r.Memory != 1e9+1e6 || len(r.Rows) != 2 {
		t.Fatalf("%+v, %v", r, err)
	}
	f, err := Make(Asked{Name: "shape:tiny", Files: shape(t, "tiny"), DType: "auto", Rates: r, Find: find, Tasks: longbench(t, 2), Variants: grid(t, "")[:1]})
	if err != nil || !strings.Contains(strings.Join(f.Notes, "; "), "left out") {
		t.Errorf("%+v, %v", f, err)
	}
	for text, want := range map[string]string{"": "no report", "[]": "no report", `{"roofs": {"Bandwidth": 1, "Products": 1, "Attention": 0}}`: "roofs", `{"roofs": {"Bandwidth": 1, "Products": 1, "Attention": 1}}`: "how much memory"} {
		if _, err := parseMeasured([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func FuzzMeasured(f *testing.F) {
	f.Add([]byte(`{"roofs": {"Bandwidth": 1e12, "Products": 1e14, "Attention": 1e14}, "rows": [{"model": "shape:tiny", "dtype": "bfloat16", "length": 9, "batch": 1, "variant": "full", "fits": true, "new_tokens": 3, "prefill_seconds": 1, "step_seconds": 1, "plan": {"free_bytes": 1}}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := parseMeasured(data)
		if err != nil {
			return
		}
		if p, err := r.open(find); err == nil && (len(p.prefill) == 0 || len(p.steps) == 0) {
			t.Errorf("opened without rates: %+v", r)
		}
	})
}
