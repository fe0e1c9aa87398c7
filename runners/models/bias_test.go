package models

import (
	"slices"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/ref"
)

// TestBiases: whether q, k and v and the attention's output have biases follows from the
// family and config.json. A bias that the family's class in transformers does not have is
// not read.
func TestBiases(t *testing.T) {
	for _, c := range []struct {
		family, flags string
		qkv, out      bool
	}{
		{"llama", `"attention_bias": false`, false, false},
		{"llama", `"attention_bias": true`, true, true},
		{"mistral", `"attention_bias": true, "mlp_bias": true`, false, false},
		{"mixtral", `"attention_bias": true, "num_local_experts": 2, "num_experts_per_tok": 1`, false, false},
		{"qwen2", `"attention_bias": false, "mlp_bias": true`, true, false},
		{"qwen3", `"attention_bias": false`, false, false},
		{"qwen3", `"attention_bias": true`, true, true},
	} {
		config, err := ParseConfig("config.json", []byte(strings.Replace(llama31, `"llama"`, `"`+c.family+`"`, 1)+c.flags+"}"), nil)
		if err != nil || config.QKVBias != c.qkv || config.OutBias != c.out {
			t.Errorf("%s with %s: biases of q, k, v %v, of the output %v (%v); want %v, %v", c.family, c.flags, config.QKVBias, config.OutBias, err, c.qkv, c.out)
		}
	}
}

// asked is a source that has every tensor and records which are read.
type asked struct {
	randomSource
	roles *[]Role
}

func (a asked) Has(Role, int) bool { return true }

func (a asked) Tensor(role Role, layer, expert, rows, cols int) (engine.Stored, error) {
	*a.roles = append(*a.roles, role)
	return a.randomSource.Tensor(role, layer, expert, rows, cols)
}

func TestBiasesOfFilesWithoutTheFlagAreIgnored(t *testing.T) {
	files, err := OpenShape("tiny")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		qkv, out bool
		want     []Role
	}{
		{false, false, nil},
		{true, false, []Role{QueryBias, KeyBias, ValueBias}},
		{true, true, []Role{QueryBias, KeyBias, ValueBias, AttentionOutputBias}},
	} {
		files.Config.QKVBias, files.Config.OutBias = c.qkv, c.out
		var roles []Role
		files.Source = asked{randomSource{c: files.Config, seed: 1}, &roles}
		m, err := Load(ref.New(), files, nil)
		if err != nil {
			t.Fatal(err)
		}
		m.Close()
		for _, role := range []Role{QueryBias, KeyBias, ValueBias, AttentionOutputBias} {
			if slices.Contains(roles, role) != slices.Contains(c.want, role) {
				t.Errorf("biases wanted: %v; of role %d read: %v", c.want, role, slices.Contains(roles, role))
			}
		}
	}
}

func TestBiasesOfGGUF(t *testing.T) {
	names := []string{"output_norm.weight", "blk.11.attn_q.bias", "blk.11.attn_v.bias", "blk.11.attn_v.weight"}
	if err := ggufBiases(names, Config{Family: "qwen2", QKVBias: true}); err != nil {
		t.Error(err)
	}
	for _, c := range []struct {
		config Config
		name   string
	}{
		{Config{Family: "llama"}, "blk.0.attn_q.bias"},
		{Config{Family: "qwen2", QKVBias: true}, "blk.3.attn_output.bias"},
		{Config{Family: "qwen2", QKVBias: true}, "blk.3.ffn_down.bias"},
		{Config{Family: "qwen3"}, "output.bias"},
	} {
		if err := ggufBiases([]string{"blk.0.attn_q.weight", c.name}, c.config); err == nil || !strings.Contains(err.Error(), c.name) {
			t.Errorf("%s in %s: %v, want an error that names it", c.name, c.config.Family, err)
		}
	}
}
