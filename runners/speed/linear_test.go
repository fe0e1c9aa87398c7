package speed

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners/cpu"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/models"
	"github.com/snapbench/snapbench/runners/ref"
)

// linearOn is a model of four layers on a device, of which the last has full attention.
func linearOn(t *testing.T, d engine.Device) *models.Model {
	t.Helper()
	config, err := models.ParseConfig("config.json", []byte(`{"model_type": "qwen3_5_text", "num_hidden_layers": 4, "hidden_size": 32, "intermediate_size": 48,
		"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16, "vocab_size": 256, "max_position_embeddings": 4096, "linear_num_key_heads": 2,
		"linear_num_value_heads": 4, "linear_key_head_dim": 8, "linear_value_head_dim": 8, "tie_word_embeddings": true}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	m, err := models.Load(d, models.RandomFiles(config, "tiny", 5), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

// A step writes all of the states that it reads.
func TestStepsOfStates(t *testing.T) {
	m := linearOn(t, ref.New())
	s, err := Measure(t.Context(), m, Cell{Length: 40, Batch: 2, Variant: oneVariant(t, "full"), MaxNew: 4, Warmup: 1}, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	states := int64(2 * 3 * 4 * (4*8*8 + 3*64)) // of two sequences in three layers, float32
	tokens := 2 * m.CacheBytesPerToken(engine.Float32)
	if got, want := s.StepBytes-s.Weights, 2*states+(40+1+2)*tokens; got != want || s.Cache != states+40*tokens {
		t.Errorf("a step moves %d bytes beside its weights, want %d; caches have %d", got, want, s.Cache)
	}
}

// A step reads all weights but the input table, as it is stored, of which it reads its tokens' rows.
func TestStepsOfPackedTables(t *testing.T) {
	config, err := models.ParseConfig("config.json", []byte(`{"model_type": "llama", "num_hidden_layers": 2, "hidden_size": 64, "intermediate_size": 96,
		"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16, "vocab_size": 256, "max_position_embeddings": 4096}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	d, err := cpu.New()
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for stored, table := range map[string]int64{"": 256 * 64 * 4, "q8_0": 256 * 64 * 34 / 32} { // random floats are float32 there
		config.Stored = stored
		m, err := models.Load(d, models.RandomFiles(config, "tiny", 5), nil)
		if err != nil {
			t.Fatal(err)
		}
		s, err := Measure(t.Context(), m, Cell{Length: 40, Batch: 2, Variant: oneVariant(t, "full"), MaxNew: 4, Warmup: 1}, 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Weights + s.Cache + 2*(1+2)*m.CacheBytesPerToken(engine.Float32) - s.StepBytes; got != table {
			t.Errorf("%q: a step leaves out %d bytes, the table has %d", stored, got, table)
		}
		m.Close()
	}
}

// littered is a device whose new arrays hold what is no number, as a card's may.
type littered struct{ *ref.Device }

func (l littered) New(t engine.Type, n int) (engine.Array, error) {
	a, err := l.Device.New(t, n)
	if err == nil && t == engine.Float32 {
		l.Put(a, slices.Repeat([]float32{float32(math.NaN())}, n))
	}
	return a, err
}

// Layers that are left out take their caches from a layer that has keys and values, never from memory that nobody wrote to:
// fewer layers than reach one are refused, also where they have a sliding window, and a warm-up computes as many.
func TestLayersLeftOut(t *testing.T) {
	gemma, err := models.ParseConfig("config.json", []byte(`{"model_type": "gemma3_text", "num_hidden_layers": 4, "hidden_size": 32, "intermediate_size": 48,
		"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 32, "vocab_size": 256, "max_position_embeddings": 4096, "sliding_window": 8,
		"layer_types": ["sliding_attention", "sliding_attention", "sliding_attention", "full_attention"]}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	slides, err := models.Load(littered{ref.New()}, models.RandomFiles(gemma, "tiny", 5), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer slides.Close()
	for words, m := range map[string]*models.Model{"linear attention": linearOn(t, littered{ref.New()}), "a sliding window": slides} {
		for _, v := range []string{"snapkv(cap=16,w=8,k=3)", "ada(cap=16,h2o(w=8))", "full+f16"} {
			for layers, ok := range []bool{true, false, false, false, true, true} {
				part := models.Part{Layers: layers}
				err := Plan{Part: part}.Check(m)
				if want := fmt.Sprintf("--layers %d: %d layers of a prefill have %s, and caches are chosen by those with full attention, of which layer 3 is the first: want at least 4 layers", layers, layers, words); ok && err != nil || !ok && fmt.Sprint(err) != want {
					t.Errorf("%d layers of 4: %v", layers, err)
				}
				s, err := Measure(t.Context(), m, Cell{Length: 40, Batch: 2, Variant: oneVariant(t, v), MaxNew: 2, Part: part}, 1, nil)
				if (err == nil) != ok || ok && s.Cache == 0 || !ok && !strings.Contains(err.Error(), "at least 4 layers") {
					t.Errorf("%s, %s, %d layers of 4: %v", words, v, layers, err)
				}
			}
		}
	}
}
