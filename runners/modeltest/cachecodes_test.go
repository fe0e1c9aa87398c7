package modeltest

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/engine/cacheformat"
	"github.com/snapbench/snapbench/runners/local"
	"github.com/snapbench/snapbench/runners/models"
	"github.com/snapbench/snapbench/runners/ref"
	"github.com/snapbench/snapbench/runners/sharedtest"
)

// inFormats are variants that evict, that copy for each query head, whose heads differ in length, and
// that read a part, in formats with scales of a vector, of the prompt, of groups of tokens, and with
// layers that are skipped.
const inFormats = "full;full+f16;full+q4_0;full+kivi2;snapkv(cap=40,w=8,k=3)+q8_0;snapkv(cap=50,w=8,k=3,gqa=query_head)+nvfp4;" +
	"ada(cap=40,snapkv(w=8,k=3))+kivi4;ada(cap=40,snapkv(w=8,k=3))+int8_th;recent(cap=60)+tq_4bit_nc_skip;" +
	"quest(cap=9k)+q4_0;quest(cap=20,page=8,recent=4)+q4_0;quest(cap=20,page=8,recent=4)+kivi2;quest(cap=20,page=8,recent=4)"

// TestCodesOfCaches: what a cache holds, read back, is what its policy kept, encoded and decoded in plain
// Go; the bytes are the format's, those of the plan and those of the rows; decoding behind it, with
// every position read or a part, gives the judge's logits. The models: one with grouped heads, and
// one whose sliding layers stay in 16 bits whatever the format.
func TestCodesOfCaches(t *testing.T) {
	const tiny = "shape:tiny"
	t.Run("tiny", func(t *testing.T) { codesOfCaches(t, tiny, 100) })
	t.Run("gemma3", func(t *testing.T) { codesOfCaches(t, sharedtest.Path(t, "families", "gemma3"), 140) })
}

func codesOfCaches(t *testing.T, model string, n int) {
	w := workloadOf(t, model, n)
	w.variants = parseAll(t, inFormats)
	judge := ref.New()
	m := Load(t, judge, model)
	defer m.Close()
	checkCodes(t, m, w)
	want := together(t, m, w, nil)
	var feed [][]int32
	for _, a := range want {
		feed = append(feed, want[0].chosen[:w.steps]) // the same tokens for all, so that they can be compared
		if a.variant.String() == compress.Full.String() && len(a.logits) < w.steps {
			t.Fatal("the full cache left the batch")
		}
	}
	want = together(t, m, w, feed)
	effects := make([]float64, len(want))
	for i, a := range want {
		effects[i] = farthest(a, want[0])
		if whole := a.variant.String(); whole != compress.Full.String() && a.variant.Cache() != "f16" && !(effects[i] > 1e-4) {
			t.Errorf("%s: logits are %g from the full cache's: it is not read", a.variant, effects[i])
		}
	}
	at := func(text string) answer {
		v := parseAll(t, text)[0].String()
		return want[slices.IndexFunc(want, func(a answer) bool { return a.variant.String() == v })]
	}
	if far := farthest(at("quest(cap=9k)+q4_0"), at("full+q4_0")); !(far <= 1e-5) {
		t.Errorf("a reader of every position in q4_0: logits are %g from those of the full cache in q4_0", far)
	}
	if far := farthest(at("quest(cap=20,page=8,recent=4)+q4_0"), at("quest(cap=20,page=8,recent=4)")); !(far > 1e-4) {
		t.Errorf("a reader of a part in q4_0: logits are %g from those without a format", far)
	}
	c := Load(t, CPU(t), model)
	defer c.Close()
	checkCodes(t, c, w)
	for i, a := range together(t, c, w, feed) {
		// A code that rounds the other way changes a logit by a part of what the format changes.
		if far := farthest(a, want[i]); !(far <= 1e-4+effects[i]/5) {
			t.Errorf("%s: cpu's logits are %g from the judge's, the effect is %g", a.variant, far, effects[i])
		}
	}
}

// farthest is the largest difference of a logit over the steps that two answers have.
func farthest(a, b answer) (most float64) {
	for step := range min(len(a.logits), len(b.logits)) {
		for j, x := range a.logits[step] {
			most = max(most, math.Abs(float64(x-b.logits[step][j])))
		}
	}
	return most
}

// checkCodes reads caches back, and counts their bytes again.
func checkCodes(t *testing.T, m *models.Model, w workload) {
	t.Helper()
	d, ids := m.Device(), w.prompts[0]
	type sides struct{ keys, values []float32 } // (heads, n, d)
	var gathered []sides
	done, err := m.Prefill(context.Background(), models.Prompt{IDs: ids, Variants: w.variants, Room: w.steps, Trace: models.Trace{KV: func(_ int, kv engine.KV) {
		s := sides{make([]float32, kv.K.Len), make([]float32, kv.V.Len)}
		d.Get(s.keys, kv.K)
		d.Get(s.values, kv.V)
		if err := d.Sync(); err != nil {
			t.Error(err)
		}
		gathered = append(gathered, s)
	}}})
	if err != nil {
		t.Fatal(err)
	}
	defer done.Free()
	answers, err := runners.Answer(context.Background(), local.New(m, func([]int32) string { return "" }),
		runners.Request{Prompt: ids, Variants: runners.VariantsOf(w.variants), MaxNew: w.steps})
	if err != nil {
		t.Fatal(err)
	}
	plan := m.Plan(w.variants, len(ids), w.steps, false)
	// What a reader holds besides, whatever the format: where the caches are apart from that.
	readers := m.Plan(parseAll(t, "quest(cap=9k);full"), len(ids), w.steps, false).Caches
	size, n := m.Heads.Size, len(ids)
	policyLayers := m.PolicyLayers()
	for i, v := range w.variants {
		sequence := done.Sequences[i].Sequence
		kept := positions(d, sequence)
		var bytes, occupied int64
		for layer, c := range sequence.Caches {
			occupied += c.Bytes()
			f := v.Format()
			if f == nil {
				if c.Packed != nil {
					t.Errorf("%s, %s, layer %d: codes of %s without a format", d.Name(), v, layer, c.Packed.Format.Name)
				}
				bytes += c.Held(d.Type())
				continue
			}
			switch index := slices.Index(policyLayers, layer); {
			case index < 0:
				f = cacheformat.Half
				if c.Len[0] != min(n, m.Windows[layer]) {
					t.Errorf("%s, layer %d keeps %d of its window of %d", v, layer, c.Len[0], m.Windows[layer])
				}
			case len(policyLayers) == m.Layers:
				f = f.At(index, m.Layers)
			}
			if c.Packed == nil || c.Packed.Format.Name != f.Name {
				t.Errorf("%s, %s, layer %d is not in %s", d.Name(), v, layer, f.Name)
				continue
			}
			var keyMost, valueMost []float32
			s, per := gathered[layer], n*size
			for h := range m.Heads.KV {
				keyMost = append(keyMost, cacheformat.Magnitude(s.keys[h*per:(h+1)*per]))
				valueMost = append(valueMost, cacheformat.Magnitude(s.values[h*per:(h+1)*per]))
			}
			scales := f.Calibrate(keyMost, valueMost)
			for h, p := range kept[layer] {
				bytes += f.Bytes(len(p), size)
				kv := h / (len(c.Len) / m.Heads.KV)
				scale := cacheformat.Scale{}
				if scales != nil {
					scale = scales[kv]
				}
				var keys, values []float32
				for _, x := range p {
					row := kv*per + int(x)*size
					keys, values = append(keys, s.keys[row:row+size]...), append(values, s.values[row:row+size]...)
				}
				k, b := f.Rooms(len(p), size)
				codes, valueCodes := make([]byte, k), make([]byte, b)
				if err := f.Fill(codes, valueCodes, keys, values, size, scale); err != nil {
					t.Fatal(err)
				}
				f.Keys(keys, codes, 0, len(p), len(p), size, scale)
				f.Values(values, valueCodes, 0, len(p), len(p), size, scale)
				gotKeys, gotValues := make([]float32, len(keys)), make([]float32, len(values))
				engine.Rows(d, gotKeys, gotValues, c, h, 0, len(p), len(p))
				if err := d.Sync(); err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(gotKeys, keys) || !slices.Equal(gotValues, values) {
					t.Errorf("%s, %s, layer %d, head %d: what is read back is not what was kept, encoded and decoded", d.Name(), v, layer, h)
				}
			}
		}
		a := answers[0][i]
		if a.Err != nil {
			t.Errorf("%s, %s: %v", d.Name(), v, a.Err)
			continue
		}
		if held := local.CacheBytes(sequence, d.Type()); held != bytes || a.CacheBytes != bytes {
			t.Errorf("%s, %s: %d bytes are held and %d told, want %d", d.Name(), v, held, a.CacheBytes, bytes)
		}
		p := plan.Caches[i]
		if v.Reads() {
			p -= readers[0] - readers[1]
		}
		if p < occupied || p > occupied*5/4 {
			t.Errorf("%s, %s: %d bytes are planned, %d are taken", d.Name(), v, p, occupied)
		}
	}
}
