package observe_test

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners/cpu"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/models"
	"github.com/snapbench/snapbench/runners/sharedtest"
	"github.com/snapbench/snapbench/runners/tokenizer"
)

func TestProbe(t *testing.T) {
	r := read(t, "smollm2.json")
	files, err := models.Open(sharedtest.SmolLM2(t))
	if err != nil {
		t.Fatal(err)
	}
	text, _, err := tokenizer.OpenGGUF(files.GGUF.Metadata())
	if err != nil {
		t.Fatal(err)
	}
	d, _ := cpu.New()
	m, err := models.Load(d, files, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, raw := range r.Prompts {
		p := about(t, raw)
		if p.ID != os.Getenv("PROBE") {
			continue
		}
		var rec struct {
			Variants map[string]struct {
				Captured [][]float64 `json:"captured"`
			} `json:"variants"`
		}
		json.Unmarshal(raw, &rec)
		ids, _ := text.Encode(p.Prompt, true)
		var names []string
		var variants []compress.Variant
		for name := range p.Variants {
			v, _ := compress.Parse(name)
			variants, names = append(variants, v), append(names, name)
		}
		done, err := m.Prefill(context.Background(), models.Prompt{IDs: ids, Variants: variants})
		if err != nil {
			t.Fatal(err)
		}
		t.Log("chosen")
		n, T := len(ids), len(p.Tokens)
		x := layerRows{first: n, tokens: n + T, heads: m.Heads, queries: make([]float32, T*m.QueryWidth()), keys: make([]float32, (n+T)*m.KVWidth())}
		width := m.QueryWidth()
		m.Prefill(context.Background(), models.Prompt{IDs: slices.Concat(ids, p.Tokens),
			TraceQ: func(at, start int, q engine.Array) {
				if skip := max(0, n-start) * width; skip < q.Len {
					to := max(0, start-n) * width
					d.Get(x.queries[to:to+q.Len-skip], q.Slice(skip, q.Len))
				}
			},
			TraceKV: func(layer int, kv engine.KV) {
				d.Get(x.keys, kv.K)
				d.Sync()
				S := make([][]float64, m.Heads.Query)
				for h := range S {
					S[h] = make([]float64, n)
					for r := n; r < n+T; r++ {
						for j, a := range x.row(r, h)[:n] {
							S[h][j] += a
						}
					}
				}
				for i, name := range names {
					c := done.Sequences[i].Caches[layer]
					group := len(S) / len(c.Len)
					for ch, k := range c.Len {
						at := make([]int32, k)
						d.GetInts(at, c.Positions.Slice(c.Start[ch], c.Start[ch]+k))
						d.Sync()
						num, den := 0.0, 0.0
						for _, s := range S[ch*group : (ch+1)*group] {
							for _, a := range s {
								den += a
							}
							for _, j := range at {
								num += s[j]
							}
						}
						if off := math.Abs(num/den - rec.Variants[name].Captured[layer][ch]); off > 6e-6 {
							t.Logf("%s %s layer %d head %d: %.6f, recorded %.6f", p.ID, name, layer, ch, num/den, rec.Variants[name].Captured[layer][ch])
						}
					}
				}
			}})
	}
}
