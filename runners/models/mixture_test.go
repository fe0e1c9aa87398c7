package models

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
)

// TestQwen3MoEConfig: the older spelling and the newer one, which layers are dense, and what
// is refused.
func TestQwen3MoEConfig(t *testing.T) {
	read := func(fields string) (Config, error) {
		return ParseConfig("config.json", []byte(strings.Replace(llama31, `"llama"`, `"qwen3_moe"`, 1)+
			`"num_hidden_layers": 6, "num_experts_per_tok": 2, "moe_intermediate_size": 96, `+fields+"}"), nil)
	}
	for _, c := range []struct {
		fields string
		dense  []int
		shares engine.Shares
	}{
		{`"num_experts": 8, "norm_topk_prob": true`, nil, engine.SharesOfChosen},
		{`"num_local_experts": 8`, nil, engine.SharesOfAll},
		{`"num_experts": 8, "num_local_experts": 8, "mlp_only_layers": [5, 0]`, []int{0, 5}, engine.SharesOfAll},
		{`"num_experts": 8, "decoder_sparse_step": 2, "mlp_only_layers": [1]`, []int{0, 1, 2, 4}, engine.SharesOfAll},
	} {
		got, err := read(c.fields)
		if err != nil {
			t.Errorf("%s: %v", c.fields, err)
			continue
		}
		var dense []int
		for i := range got.Layers {
			if !got.Sparse(i) {
				dense = append(dense, i)
			}
		}
		if !slices.Equal(dense, c.dense) || got.Shares != c.shares || got.Experts != 8 || got.PerToken != 2 || got.ExpertFF != 96 {
			t.Errorf("%s: layers %v are dense, want %v: %+v", c.fields, dense, c.dense, got.Mixture)
		}
	}
	for fields, part := range map[string]string{
		`"num_experts": 0`:                              "num_experts is 0",
		`"num_experts": 8, "num_local_experts": 4`:      "num_local_experts is 4, num_experts 8",
		`"num_experts": 1`:                              "1 experts with 2 per token",
		`"num_experts": 8, "decoder_sparse_step": 0`:    "decoder_sparse_step is 0",
		`"num_experts": 8, "mlp_only_layers": [6]`:      "layer 6 of 6",
		`"num_experts": 8, "moe_intermediate_size": -1`: "feed-forward size is -1",
	} {
		if _, err := read(fields); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%s: %v, want %q", fields, err, part)
		}
	}
}

// TestShapes: a shape has as many numbers as the published model. Sources: the model cards of
// Qwen3-8B (8.2B), Qwen3-30B-A3B (30.5B), gpt-oss-20b (20.9B, arXiv 2508.10925, table 1),
// and Keras' preset gemma3_12b_text, whose vocabulary has 64 fewer tokens. Of qwen3.5-9b the numbers are added up: 24 layers
// with 4096·(8192+4096+64) + 4096·4096 of linear attention, its 8192·4 + 64 + 128 and a feed-forward of 3·4096·12288, 8 with
// 4096·256·(2·16+2·4) + 4096·4096 of attention and 2·256, two norms each, the last, and 2·248320·4096.
func TestShapes(t *testing.T) {
	for name, want := range map[string]struct{ least, most, bytes float64 }{
		"qwen3-8b": {8.15e9, 8.25e9, 16.4e9}, "qwen3-30b-a3b": {30.45e9, 30.55e9, 61.1e9},
		"qwen3-30b-a3b,storage=fp8": {30.45e9, 30.55e9, 31.2e9}, "gpt-oss-20b": {20.85e9, 20.95e9, 13.8e9},
		"qwen3.5-9b":              {8953803264, 8953803264, 17.9e9},
		"llama-3-8b,storage=q8_0": {8.0e9, 8.1e9, 8.53e9}, "llama-3-8b,storage=q4_k": {8.0e9, 8.1e9, 4.52e9}, // 34/32 and 144/256 bytes a number
		"gemma-3-12b": {11765788416 + 64*3840, 11765788416 + 64*3840, 23.5e9},
	} {
		f, err := OpenShape(name)
		if err != nil {
			t.Error(err)
			continue
		}
		if n := float64(f.Config.Parameters()); n < want.least || n > want.most {
			t.Errorf("%s has %.0f numbers, want %.0f to %.0f", name, n, want.least, want.most)
		}
		if b := float64(f.Bytes); b < 0.99*want.bytes || b > 1.01*want.bytes {
			t.Errorf("%s takes %.2f GB, want about %.1f", name, b/1e9, want.bytes/1e9)
		}
	}
	for spec, part := range map[string]string{"qwen3-8b,storage=mxfp4": "for experts", "tiny,storage=int4": `unknown storage "int4"`, "gpt-oss-20b,storage=q4_k": "rows of 2880"} {
		if _, err := OpenShape(spec); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%s: %v, want %q", spec, err, part)
		}
	}
}

// TestPackedShapes: random weights in packed storages are such, have the size that products want, and are the same every time.
func TestPackedShapes(t *testing.T) {
	for _, spec := range []string{"gpt-oss-20b", "qwen3-30b-a3b,storage=fp8", "qwen3-30b-a3b,storage=q8_0", "qwen3-30b-a3b,storage=q4_k"} {
		f, err := OpenShape(spec)
		if err != nil {
			t.Fatal(err)
		}
		c := f.Config
		x, err := f.Source.Tensor(Down, 1, 2, c.Width, c.ExpertFF)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]engine.Storage{"gpt-oss-20b": engine.MXFP4, "qwen3-30b-a3b,storage=fp8": engine.E4M3,
			"qwen3-30b-a3b,storage=q8_0": engine.Q8_0, "qwen3-30b-a3b,storage=q4_k": engine.Q4K}[spec]
		if x.Storage() != want {
			t.Errorf("%s: experts are stored as %s, want %s", spec, x.Storage(), want)
		}
		sum, mean, row, again := 0.0, 0.0, make([]float32, c.ExpertFF), make([]float32, c.ExpertFF)
		for i := range 50 {
			x.ReadRow(i, row)
			x.ReadRow(i, again)
			for j, v := range row {
				sum += float64(v) * float64(v)
				mean += float64(v) / 50 / float64(len(row))
				if v != again[j] {
					t.Fatalf("%s: row %d is another one the second time", spec, i)
				}
			}
		}
		if s := sum / 50; s < 0.4 || s > 2.2 {
			t.Errorf("%s: the square of a row is %v on average, want about 1", spec, s)
		}
		if bound := 4 / math.Sqrt(50) / float64(c.ExpertFF); math.Abs(mean) > bound {
			t.Errorf("%s: the mean of numbers is %v, want one near 0, within %v", spec, mean, bound)
		}
		if x, _ := f.Source.Tensor(Router, 1, -1, c.Experts, c.Width); x.Storage() != engine.F32 {
			t.Errorf("%s: the router is stored as %s", spec, x.Storage())
		}
	}
}
