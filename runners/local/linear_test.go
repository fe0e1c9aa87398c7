package local

import (
	"slices"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/evidence"
	"github.com/snapbench/snapbench/runners/models"
	"github.com/snapbench/snapbench/runners/ref"
)

// A model with linear attention answers a question behind the prompt in company as alone, its bytes are the caches' and
// the states', and what its answer attends to is not known, which is said.
func TestLinearAttentionAnswers(t *testing.T) {
	config, err := models.ParseConfig("config.json", []byte(`{"model_type": "qwen3_5_text", "num_hidden_layers": 4, "hidden_size": 32, "intermediate_size": 48,
		"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16, "vocab_size": 256, "max_position_embeddings": 4096, "linear_num_key_heads": 2,
		"linear_num_value_heads": 4, "linear_key_head_dim": 8, "linear_value_head_dim": 8, "tie_word_embeddings": true}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []engine.Device{ref.New(), newCPU(t)} {
		m, err := models.Load(d, models.RandomFiles(config, "tiny", 5), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		r := New(m, func([]int32) string { return "" })
		list := variants(t, "full;snapkv(cap=40,w=8,k=3);full+f16")
		spans := []evidence.Span{{10, 20}}
		request := runners.Request{Prompt: ids(90, 3), Question: ids(3, 7), Variants: runners.VariantsOf(list), MaxNew: 12, Fidelity: true,
			Evidence: &runners.Evidence{Read: "a", Says: func(string) bool { return false }, Passages: []runners.Passage{{Name: "a", Each: spans, Spans: spans}}}}
		before := d.Memory().InUse
		out, err := runners.Answer(t.Context(), r, request)
		if err != nil {
			t.Fatal(err)
		}
		second := request
		second.Question = ids(5, 11)
		both, err := runners.Answer(t.Context(), r, request, second)
		if err != nil {
			t.Fatal(err)
		}
		lone, err := runners.Answer(t.Context(), r, second)
		if err != nil {
			t.Fatal(err)
		}
		for i := range list {
			if !slices.Equal(both[0][i].Tokens, out[0][i].Tokens) || !slices.Equal(both[1][i].Tokens, lone[0][i].Tokens) {
				t.Errorf("%s, %s: two questions of one prompt are answered %v, %v, alone %v, %v", d.Name(), list[i], both[0][i].Tokens, both[1][i].Tokens, out[0][i].Tokens, lone[0][i].Tokens)
			}
		}
		if after := d.Memory().InUse; after != before {
			t.Errorf("%s: %d bytes are still held", d.Name(), after-before)
		}
		states := int64(3 * 4 * (4*8*8 + 3*64)) // in float32
		for i, c := range out[0] {
			if c.Err != nil {
				t.Fatalf("%s, %s: %v", d.Name(), list[i], c.Err)
			}
			perToken := int64(2 * 2 * 16 * 4)
			if list[i].Cache() != "" {
				perToken /= 2
			}
			if want := states + int64(c.Kept.Max)*perToken; c.FixedBytes != states || c.CacheBytes != want || c.FullBytes != states+90*perToken {
				t.Errorf("%s, %s: %d bytes, %d of the full cache, %d fixed; want %d, %d, %d", d.Name(), list[i], c.CacheBytes, c.FullBytes, c.FixedBytes, want, states+90*perToken, states)
			}
			if !strings.Contains(c.Note, "evidence: the attention is not known") || !strings.Contains(c.Note, "linear attention") {
				t.Errorf("%s, %s: note %q", d.Name(), list[i], c.Note)
			}
			alone := request
			alone.Variants, alone.Fidelity, alone.Evidence = runners.VariantsOf(list[i:i+1]), false, nil
			one, err := runners.Answer(t.Context(), r, alone)
			if err != nil || !slices.Equal(one[0][0].Tokens, c.Tokens) || len(c.Tokens) != 12 {
				t.Errorf("%s, %s: %v alone, %v in company (%v)", d.Name(), list[i], one[0][0].Tokens, c.Tokens, err)
			}
		}
	}
}
