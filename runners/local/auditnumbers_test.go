package local

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/engine/cacheformat"
	"github.com/snapbench/snapbench/runners/models"
	"github.com/snapbench/snapbench/runners/ref"
)

// wrong is a device whose caches hold something else than was gathered, where change says so.
type wrong struct {
	*ref.Device
	change func(c engine.Cache, keys, values []float32)
}

func (d wrong) alter(c engine.Cache) {
	keys, values := make([]float32, c.K.Len), make([]float32, c.V.Len)
	d.Get(keys, c.K)
	d.Get(values, c.V)
	d.change(c, keys, values)
	d.Put(c.K, keys)
	d.Put(c.V, values)
}

func (d wrong) Gather(kv engine.KV, kept []engine.Kept, room int) ([]engine.Cache, error) {
	caches, err := d.Device.Gather(kv, kept, room)
	for _, c := range caches {
		d.alter(c)
	}
	return caches, err
}

// TestAuditOfNumbers: a cache whose last keys or values are not those of its positions fails the audit in every format, over the prompts of a run,
// whichever layer and head it is in; as it is none does, also where a policy changes keys.
func TestAuditOfNumbers(t *testing.T) {
	all := variants(t, "full;snapkv(cap=40,w=8,k=3);snapkv(cap=40,w=8,k=3,gqa=query_head);ada(cap=40,snapkv(w=8,k=3));think(w=8);streaming(cap=40,rerotate=on)")
	var list []compress.Variant
	for _, v := range all {
		list = append(list, v)
		for _, f := range cacheformat.All() {
			list = append(list, v.In(f))
		}
	}
	for what, change := range map[string]func(c engine.Cache, keys, values []float32){
		"":      func(engine.Cache, []float32, []float32) {},
		"value": func(c engine.Cache, _, values []float32) { swap(c, values) },
		"key":   func(c engine.Cache, keys, _ []float32) { swap(c, keys) },
	} {
		m := tinyOn(t, wrong{ref.New(), change})
		r := New(m, func([]int32) string { return "" })
		list := compress.On(m.Shape(), list)
		found := map[string]int{}
		samples := len(m.PolicyLayers()) * m.Heads.KV
		for sample := range samples {
			out, err := runners.Answer(context.Background(), r, runners.Request{Prompt: ids(200, 3), Sample: sample, Variants: runners.VariantsOf(list), MaxNew: 1})
			if err != nil {
				t.Fatal(err)
			}
			for i, c := range out[0] {
				var failed *AuditError
				switch {
				case errors.As(c.Err, &failed) && strings.Contains(c.Err.Error(), "the "+what+" of position"):
					found[list[i].String()]++
				case c.Err != nil:
					t.Errorf("%s changed, sample %d: %v", what, sample, c.Err)
				}
			}
		}
		for _, v := range list {
			want := samples
			if edits := strings.HasPrefix(v.String(), "think") || strings.Contains(v.String(), "rerotate=on"); what == "" || what == "key" && edits {
				want = 0
			}
			if got := found[v.String()]; got != want {
				t.Errorf("%q changed in %s: found in %d of %d layers and heads", what, v, got, want)
			}
		}
	}
}

// swap exchanges the numbers of the last two entries of each head.
func swap(c engine.Cache, x []float32) {
	for h, n := range c.Len {
		a, b := x[(c.Start[h]+n-1)*c.Size:][:c.Size], x[(c.Start[h]+n-2)*c.Size:][:c.Size]
		for i := range a {
			a[i], b[i] = b[i], a[i]
		}
	}
}

// What is not the last of a long prompt is not looked at, and of residuals whole ones alone.
func TestAuditOfFewRows(t *testing.T) {
	m := tinyOn(t, ref.New())
	for text, want := range map[string]int{
		"full": auditedRows, "full+q4_0": auditedRows, "recent(cap=100)": 100, "recent(cap=100)+kivi2": 100,
		"full+kivi2": 300 - 64, "full+kivi2_r128": 300 - 128, "streaming(cap=40,sinks=4)": 40,
	} {
		v := oneVariant(t, text)
		p := models.Prompt{IDs: ids(300, 3), Variants: []compress.Variant{v}, Room: 4}
		s := sees(&p, m)
		done, err := m.Prefill(context.Background(), p)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := s.Audit(m.Device(), v, done.Sequences[0].Sequence, 300, false)
		if err != nil || rows != want {
			t.Errorf("%s: %d rows, %v; want %d", text, rows, err, want)
		}
		s.first, s.keys, s.values = 290, s.keys[290*s.size:], s.values[290*s.size:] // as if the prompt were longer
		if rows, err = s.Audit(m.Device(), v, done.Sequences[0].Sequence, 300, false); err != nil || rows > 10 {
			t.Errorf("%s: %d rows, %v; want at most 10", text, rows, err)
		}
		done.Free()
	}
}
