package local

import (
	"context"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/engine/cacheformat"
	"github.com/snapbench/snapbench/runners/enginetest"
	"github.com/snapbench/snapbench/runners/models"
	"github.com/snapbench/snapbench/runners/ref"
)

// formatted are the full cache, and it, SnapKV and AdaKV in every format.
func formatted(t *testing.T) []compress.Variant {
	t.Helper()
	all := variants(t, "full;snapkv(cap=40,w=8,k=3)")
	for _, f := range cacheformat.All() {
		for _, v := range variants(t, "full;snapkv(cap=40,w=8,k=3);ada(cap=40,snapkv(w=8,k=3));snapkv(cap=bytes:50%,w=8,k=3,gqa=query_head)") {
			all = append(all, v.In(f))
		}
	}
	return all
}

// TestFormatsOfAnswers: every policy in every format answers beside the others as it does alone, and
// tells its true bytes; what 16 bits change is little.
func TestFormatsOfAnswers(t *testing.T) {
	for _, d := range []engine.Device{ref.New(), newCPU(t)} {
		m := tinyOn(t, d)
		r := New(m, func([]int32) string { return "" })
		list := compress.On(m.Shape(), formatted(t))
		if err := r.Check(runners.VariantsOf(list)); err != nil {
			t.Fatal(err)
		}
		const n, question, most = 90, 3, 40
		request := runners.Request{Prompt: ids(n, 3), Question: ids(question, 7), Variants: runners.VariantsOf(list), MaxNew: most, Fidelity: true}
		before := d.Memory().InUse
		out, err := runners.Answer(context.Background(), r, request)
		if err != nil {
			t.Fatal(err)
		}
		if after := d.Memory().InUse; after != before {
			t.Errorf("%s: %d bytes are still held", d.Name(), after-before)
		}
		for i, c := range out[0] {
			v := list[i]
			if c.Err != nil {
				if f := v.Format(); f.Name == "f16" && strings.Contains(c.Err.Error(), "tokens fit") {
					continue // a copy for each query head of half of the bytes
				}
				t.Errorf("%s, %s: %v", d.Name(), v, c.Err)
				continue
			}
			checkAnswerBytes(t, m, v, c, n, question)
			if v.Cache() == "f16" && v.Method() == "full" && !(c.Fidelity.KLMean < 1e-4) {
				t.Errorf("%s, %s: a divergence of %v", d.Name(), v, c.Fidelity.KLMean)
			}
			if v.Cache() == "kivi2" && v.Method() == "full" && !(c.Fidelity.KLMean > 1e-6) {
				t.Errorf("%s, %s: a divergence of %v: its codes are not read", d.Name(), v, c.Fidelity.KLMean)
			}
			if i%7 != 3 { // some, alone
				continue
			}
			alone := request
			alone.Variants = runners.VariantsOf([]compress.Variant{v})
			alone.Fidelity = false
			one, err := runners.Answer(context.Background(), r, alone)
			if err != nil || one[0][0].Err != nil {
				t.Fatal(err, one[0][0].Err)
			}
			if got := one[0][0]; !reflect.DeepEqual(got.Tokens, c.Tokens) || got.CacheBytes != c.CacheBytes {
				t.Errorf("%s, %s: alone %v, in company %v", d.Name(), v, got.Tokens, c.Tokens)
			}
		}
	}
}

// checkAnswerBytes counts an answer's bytes again: by the mean of the positions kept where heads
// are alike.
func checkAnswerBytes(t *testing.T, m *models.Model, v compress.Variant, c runners.Completion, n, question int) {
	t.Helper()
	f, number := v.Format(), m.Device().Type()
	if f == nil {
		f, number = cacheformat.Half, engine.Float16
		c.CacheBytes, c.FullBytes, c.CachePeak = c.CacheBytes/2, c.FullBytes/2, c.CachePeak/2 // of float32
		c.TokenBytes /= 2
	}
	if c.FullBytes != int64(m.Layers*m.Heads.KV*n*4*m.Heads.Size) {
		t.Errorf("%s: the full cache has %d bytes of %v", v, c.FullBytes, number)
	}
	if c.Kept.Min != c.Kept.Max {
		return
	}
	heads := m.Heads.KV
	if strings.Contains(v.String(), "gqa=query_head") {
		heads = m.Heads.Query
	}
	var held, peak int64
	token := 0.0
	for layer := range m.Layers {
		in := f.At(layer, m.Layers)
		held += int64(heads) * in.Bytes(c.Kept.Max, m.Heads.Size)
		peak += int64(heads) * in.PeakBytes(c.Kept.Max, question+len(c.Tokens)-1, m.Heads.Size)
		token += float64(heads) * in.TokenBytes(m.Heads.Size)
	}
	if c.CacheBytes != held || c.CachePeak != peak || c.TokenBytes != token {
		t.Errorf("%s keeps %d: %d bytes, %d at most, %v a token; want %d, %d, %v", v, c.Kept.Max, c.CacheBytes, c.CachePeak, c.TokenBytes, held, peak, token)
	}
	if strings.Contains(v.String(), "bytes:50%") && (c.CacheBytes > c.FullBytes/2 || c.CacheBytes < c.FullBytes/4) {
		t.Errorf("%s: %d bytes of %d", v, c.CacheBytes, c.FullBytes)
	}
}

// TestPlanCoversFormats: the plan is no less than what is used, and for codes less than for numbers.
func TestPlanCoversFormats(t *testing.T) {
	m := tinyOn(t, ref.New())
	d := m.Device()
	for _, f := range cacheformat.All() {
		list := variants(t, "full;recent(cap=70);snapkv(cap=64,w=8,k=3)")
		for i := range list {
			list[i] = list[i].In(f)
		}
		const n = 300
		plan := m.Plan(list, n, 20, false)
		weights := d.Memory().InUse
		d.ResetPeak()
		out, err := runners.Answer(context.Background(), New(m, func([]int32) string { return "" }),
			runners.Request{Prompt: ids(n, 3), Variants: runners.VariantsOf(list), MaxNew: 20})
		if err != nil {
			t.Fatal(err)
		}
		peak := int64(0)
		for _, c := range out[0] {
			peak = max(peak, c.PeakBytes-weights)
		}
		if total := plan.Total(); total < peak || total > 3*peak/2 {
			t.Errorf("%s: %d bytes are planned, %d were used", f.Name, total, peak)
		}
		plain := m.Plan(variants(t, "full"), n, 20, false).Caches[0]
		if plan.Caches[0] >= plain {
			t.Errorf("%s: the full cache takes %d bytes, %d as float32", f.Name, plan.Caches[0], plain)
		}
	}
}

// TestFormatRefused: what a format cannot store fails its own variant with layer and head, in the
// prompt and in a step, and no other.
func TestFormatRefused(t *testing.T) {
	const token, row = 200, 5
	files, err := models.OpenShape("tiny")
	if err != nil {
		t.Fatal(err)
	}
	// A token whose first hidden state is one number, which the values multiply by a large one.
	spike := float32(math.Sqrt(float64(files.Config.Width)))
	files.Config.Tied = false
	files.Source = damaged{damaged{files.Source, models.Embedding, -1, token, 1e6}, models.Value, 0, row, 4 * 65504 / spike}
	m, err := models.Load(ref.New(), files, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	r := New(m, func([]int32) string { return "" })
	list := variants(t, "full;full+f16;full+q8_0;snapkv(cap=40,w=8,k=3)+kivi2;snapkv(cap=40,w=8,k=3)+int8_th")
	prompt := make([]int32, 60)
	for i := range prompt {
		prompt[i] = int32(i)
	}
	for _, inPrompt := range []bool{true, false} {
		request := runners.Request{Prompt: prompt, Question: []int32{1, token, 2}, Variants: runners.VariantsOf(list), MaxNew: 3}
		if inPrompt {
			request.Prompt, request.Question = append(prompt[:59:59], token), []int32{1, 2}
		}
		out, err := runners.Answer(context.Background(), r, request)
		if err != nil {
			t.Fatal(err)
		}
		for i, c := range out[0] {
			refuses := list[i].Cache() == "f16" || list[i].Cache() == "kivi2"
			var refused *engine.Refusal
			switch {
			case !refuses && c.Err != nil:
				t.Errorf("in the prompt %v, %s: %v", inPrompt, list[i], c.Err)
			case refuses && (!errors.As(c.Err, &refused) || !strings.Contains(c.Err.Error(), "layer 0") || !strings.Contains(c.Err.Error(), "head 0")):
				t.Errorf("in the prompt %v, %s: %v, want a refusal with layer and head", inPrompt, list[i], c.Err)
			}
		}
	}
}

// TestFormatsElsewhere: a device without formats refuses them by name.
func TestFormatsElsewhere(t *testing.T) {
	m := tinyOn(t, enginetest.Rounded(engine.BFloat16))
	r := New(m, func([]int32) string { return "" })
	for text, ok := range map[string]bool{"full": true, "full+bf16": true, "full+f16": false, "full+q4_0": false, "recent(cap=20)+kivi2": false} {
		v := oneVariant(t, text)
		err := r.Check([]runners.Variant{v})
		if ok != (err == nil) || !ok && !strings.Contains(err.Error(), v.Cache()) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
