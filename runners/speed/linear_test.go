package speed

import (
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/models"
	"github.com/snapbench/snapbench/runners/ref"
)

// A step writes all of the states that it reads.
func TestStepsOfStates(t *testing.T) {
	config, err := models.ParseConfig("config.json", []byte(`{"model_type": "qwen3_5_text", "num_hidden_layers": 4, "hidden_size": 32, "intermediate_size": 48,
		"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16, "vocab_size": 256, "max_position_embeddings": 4096, "linear_num_key_heads": 2,
		"linear_num_value_heads": 4, "linear_key_head_dim": 8, "linear_value_head_dim": 8, "tie_word_embeddings": true}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	m, err := models.Load(ref.New(), models.RandomFiles(config, "tiny", 5), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	s, err := Measure(t.Context(), m, Cell{Length: 40, Batch: 2, Variant: oneVariant(t, "full"), MaxNew: 4, Warmup: 1}, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	states := int64(2 * 3 * 4 * (4*8*8 + 3*64)) // of two sequences in three layers, float32
	tokens := 2 * config.CacheBytesPerToken(engine.Float32)
	if got, want := s.StepBytes-s.Weights, 2*states+(40+1+2)*tokens; got != want || s.Cache != states+40*tokens {
		t.Errorf("a step moves %d bytes beside its weights, want %d; caches have %d", got, want, s.Cache)
	}
}
