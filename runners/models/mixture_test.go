package models

import (
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
