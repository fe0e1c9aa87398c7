// Package models turns a model's files into a decoder that runs on any
// [engine.Device]: configuration → weights → forward pass. Start with [Open],
// [Load] and [Model.Prefill].
//
// The forward pass exists twice. [Model.Prefill] goes layer by layer over the
// whole prompt, in blocks of tokens, with one buffer of keys and values that the
// next layer reuses; in each layer every variant chooses positions and gathers
// its own cache. [Decoder] then decodes all these sequences together.
package models

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/snapbench/snapbench/inputs"
	"github.com/snapbench/snapbench/runners/engine"
)

// Config is the configuration of a decoder, read from any kind of file.
type Config struct {
	Family     string // "llama", "mistral", … the model_type of config.json
	Layers     int
	Width      int
	Heads      engine.Heads
	FF         int
	Activation engine.Activation
	Vocab      int
	Context    int // number of positions that the model was made for
	Epsilon    float32
	// UnitNorms: the weights of norms are stored less 1.
	UnitNorms bool
	// PostNorms: attention and feed-forward have norms behind them too, before their output is added.
	PostNorms bool
	// EmbeddingScale is what embeddings are multiplied by, 0 for nothing. RoundedScale has it rounded to the device's type
	// first, as transformers does.
	EmbeddingScale float32
	RoundedScale   bool
	AttentionScale float32 // of q·k; 0 for 1/√d
	AttentionCap   float32 // softly bounds q·k, scaled: cap·tanh(s/cap); 0 for none
	LogitCap       float32 // the same of logits
	Rope           Rope    // of every layer, unless SlidingRope differs
	// SlidingRope is the rotation of layers with a sliding window, where it is another one.
	SlidingRope *Rope
	Windows     []int // per layer: the sliding window, 0 for none
	Sinks       bool  // each query head has a score that no position belongs to
	QKNorm      bool
	QKVBias     bool // q, k and v have biases; if not, biases in the files are ignored, as in transformers
	OutBias     bool // attention's output has a bias
	OutGate     bool // full attention's output is multiplied by the sigmoid of a gate
	Tied        bool // the output product shares the embeddings
	EOS         []int32
	Mixture
	Linear Linear // layers with linear attention
	// Stored is how files keep what is not in 16 bits or more: "fp8", the projections of attention and feed-forward, or "mxfp4", the
	// experts; of shapes what they were asked for. Weights say so themselves; this is for who has none. A GGUF file's is not told.
	Stored string
}

// RawConfig holds the fields of config.json that this package uses, in the older
// form (rope_theta, rope_scaling) and the newer one (rope_parameters).
type RawConfig struct {
	ModelType       string   `json:"model_type"`
	Layers          int      `json:"num_hidden_layers"`
	Width           int      `json:"hidden_size"`
	QueryHeads      int      `json:"num_attention_heads"`
	KVHeads         *int     `json:"num_key_value_heads"`
	HeadSize        *int     `json:"head_dim"`
	FF              int      `json:"intermediate_size"`
	Vocab           int      `json:"vocab_size"`
	Context         int      `json:"max_position_embeddings"`
	Epsilon         *float64 `json:"rms_norm_eps"`
	Activation      string   `json:"hidden_act"`
	GateActivation  string   `json:"hidden_activation"` // Gemma's, which has no use for the other
	Tied            bool     `json:"tie_word_embeddings"`
	MLPBias         bool     `json:"mlp_bias"`
	AttentionBias   bool     `json:"attention_bias"`
	RopeTheta       *float64 `json:"rope_theta"`
	RopeScaling     *RawRope `json:"rope_scaling"`
	RopeParameters  *RawRope `json:"rope_parameters"`
	RopeLocalTheta  *float64 `json:"rope_local_base_freq"`
	Partial         *float64 `json:"partial_rotary_factor"`
	Original        *float64 `json:"original_max_position_embeddings"`
	SlidingWindow   *int     `json:"sliding_window"`
	UseSliding      *bool    `json:"use_sliding_window"`
	MaxWindowLayers int      `json:"max_window_layers"`
	LayerTypes      []string `json:"layer_types"`
	SlidingPattern  int      `json:"sliding_window_pattern"`
	// OwnSlidingPattern is how transformers writes it.
	OwnSlidingPattern int             `json:"_sliding_window_pattern"`
	QueryScalar       *float64        `json:"query_pre_attn_scalar"`
	AttentionCap      *float64        `json:"attn_logit_softcapping"`
	LogitCap          *float64        `json:"final_logit_softcapping"`
	Bidirectional     *bool           `json:"use_bidirectional_attention"`
	Causal            *bool           `json:"is_causal"`
	LocalExperts      int             `json:"num_local_experts"`
	NumExperts        int             `json:"num_experts"` // the same in other families' files, and in Qwen3-MoE's older ones
	PerToken          int             `json:"num_experts_per_tok"`
	ExpertFF          int             `json:"moe_intermediate_size"`
	NormTopK          bool            `json:"norm_topk_prob"`
	SparseStep        *int            `json:"decoder_sparse_step"`
	DenseLayers       []int           `json:"mlp_only_layers"`
	SwiGLUAlpha       *float64        `json:"swiglu_alpha"`
	SwiGLULimit       *float64        `json:"swiglu_limit"`
	Quantization      *RawQuantized   `json:"quantization_config"`
	EOS               json.RawMessage `json:"eos_token_id"`
	RawLinear

	// DefaultRope is the scaling of a family's file that says nothing of it. OnlyLongrope: the family has no other scaling, and
	// its older files call it su or yarn.
	DefaultRope  *RawRope `json:"-"`
	OnlyLongrope bool     `json:"-"`
}

// ReadConfig reads a Hugging Face directory's config.json. End tokens in
// generation_config.json replace those of config.json.
func ReadConfig(dir string) (Config, error) {
	path := filepath.Join(dir, "config.json")
	data, err := inputs.ReadFile(path)
	if err != nil {
		return Config{}, err
	}
	generation, err := inputs.ReadFile(filepath.Join(dir, "generation_config.json"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Config{}, err
	}
	return ParseConfig(path, data, generation)
}

// ParseConfig reads config.json and, unless it is nil, generation_config.json.
// path is the path of config.json, for errors.
func ParseConfig(path string, config, generation []byte) (Config, error) {
	raw, family, err := parseRaw(path, config)
	if err != nil {
		return Config{}, err
	}
	c, err := raw.config(family)
	if err != nil {
		return Config{}, fmt.Errorf("%s: %w", path, err)
	}
	if generation != nil {
		var g struct {
			EOS json.RawMessage `json:"eos_token_id"`
		}
		beside := filepath.Join(filepath.Dir(path), "generation_config.json")
		if err := json.Unmarshal(generation, &g); err != nil {
			return Config{}, jsonError(beside, generation, err)
		}
		ids, err := endTokens(g.EOS)
		if err != nil {
			return Config{}, fmt.Errorf("%s: %w", beside, err)
		}
		if len(ids) > 0 {
			c.EOS = ids
		}
	}
	return c, nil
}

// parseRaw reads config.json over what its family has for missing fields.
func parseRaw(path string, config []byte) (RawConfig, Family, error) {
	var kind struct {
		ModelType string          `json:"model_type"`
		Text      json.RawMessage `json:"text_config"`
		EOS       json.RawMessage `json:"eos_token_id"`
		Quantized *RawQuantized   `json:"quantization_config"`
		Tied      *bool           `json:"tie_word_embeddings"`
	}
	if err := json.Unmarshal(config, &kind); err != nil {
		return RawConfig{}, Family{}, jsonError(path, config, err)
	}
	family, err := findFamily(kind.ModelType)
	if err != nil {
		return RawConfig{}, family, fmt.Errorf("%s: %w", path, err)
	}
	raw := family.defaults()
	if family.Nested {
		if len(kind.Text) == 0 {
			return raw, family, fmt.Errorf("%s: model_type %q without text_config", path, kind.ModelType)
		}
		if err := json.Unmarshal(kind.Text, &raw); err != nil {
			return raw, family, fmt.Errorf("%s: text_config: %w", path, err)
		}
		if raw.ModelType = kind.ModelType; len(raw.EOS) == 0 {
			raw.EOS = kind.EOS
		}
		if raw.Quantization == nil {
			raw.Quantization = kind.Quantized
		}
		if kind.Tied != nil {
			raw.Tied = *kind.Tied
		}
		return raw, family, nil
	}
	if err := json.Unmarshal(config, &raw); err != nil {
		return raw, family, jsonError(path, config, err)
	}
	return raw, family, nil
}

// activations are the names in config.json of what joins gate and up.
var activations = map[string]engine.Activation{"silu": {Kind: engine.SwiGLU}, "gelu_pytorch_tanh": {Kind: engine.TanhGEGLU}}

func activationOf(name string) (engine.Activation, error) {
	a, ok := activations[name]
	if !ok {
		return a, fmt.Errorf("%q: have %s", name, strings.Join(slices.Sorted(maps.Keys(activations)), ", "))
	}
	return a, nil
}

// jsonError adds the path and the line to an error of encoding/json.
func jsonError(path string, data []byte, err error) error {
	offset := int64(-1)
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	if errors.As(err, &syntax) {
		offset = syntax.Offset
	} else if errors.As(err, &kind) {
		offset = kind.Offset
	}
	if offset < 0 || offset > int64(len(data)) {
		return fmt.Errorf("%s: %w", path, err)
	}
	return fmt.Errorf("%s:%d: %w", path, 1+strings.Count(string(data[:offset]), "\n"), err)
}

func endTokens(raw json.RawMessage) ([]int32, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	var one int32
	if err := json.Unmarshal(raw, &one); err == nil {
		return []int32{one}, nil
	}
	var several []int32
	if err := json.Unmarshal(raw, &several); err != nil {
		return nil, fmt.Errorf("eos_token_id is %.60s: want a token id or a list of them", raw)
	}
	return several, nil
}

func (raw RawConfig) config(family Family) (c Config, err error) {
	c = Config{
		Family: raw.ModelType, Layers: raw.Layers, Width: raw.Width, FF: raw.FF, Vocab: raw.Vocab,
		Context: raw.Context, Tied: raw.Tied,
		Heads: engine.Heads{Query: raw.QueryHeads, KV: raw.QueryHeads},
	}
	if raw.KVHeads != nil {
		c.Heads.KV = *raw.KVHeads
	}
	if raw.HeadSize != nil {
		c.Heads.Size = *raw.HeadSize
	} else if raw.QueryHeads > 0 {
		c.Heads.Size = raw.Width / raw.QueryHeads
	}
	if raw.Epsilon == nil {
		return c, errors.New("rms_norm_eps is null")
	}
	c.Epsilon = float32(*raw.Epsilon)
	key, name := "hidden_act", raw.Activation
	if family.defaults().GateActivation != "" {
		key, name = "hidden_activation", raw.GateActivation
	}
	if name != "" {
		if c.Activation, err = activationOf(name); err != nil {
			return c, fmt.Errorf("%s %w", key, err)
		}
	}
	if c.EOS, err = endTokens(raw.EOS); err != nil {
		return c, err
	}
	if err := raw.Quantization.check(); err != nil {
		return c, err
	}
	c.Stored = raw.Quantization.stored()
	if err := raw.refused(family); err != nil {
		return c, err
	}
	if c.Rope, c.SlidingRope, err = raw.ropes(c.Heads.Size); err != nil {
		return c, err
	}
	c.Context = max(c.Context, c.Rope.context())
	if c.Layers < 1 || c.Layers > 1<<12 {
		return c, fmt.Errorf("num_hidden_layers is %d", c.Layers)
	}
	c.Windows = make([]int, c.Layers)
	if family.Adapt != nil {
		if err := family.Adapt(raw, &c); err != nil {
			return c, err
		}
	}
	return c, c.Check()
}

// Check returns an error for a configuration that no decoder can be built from.
func (c Config) Check() error {
	for _, f := range []struct {
		name  string
		value int
	}{
		{"layers", c.Layers}, {"width", c.Width}, {"query heads", c.Heads.Query}, {"KV heads", c.Heads.KV},
		{"head size", c.Heads.Size}, {"feed-forward size", c.FF}, {"vocabulary", c.Vocab}, {"context", c.Context},
	} {
		if f.value < 1 || f.value > 1<<30 {
			return fmt.Errorf("%s is %d", f.name, f.value)
		}
	}
	if !(c.Epsilon > 0 && c.Epsilon < 1) {
		return fmt.Errorf("the RMS norms' epsilon is %g", c.Epsilon)
	}
	if c.Heads.Query%c.Heads.KV != 0 {
		return fmt.Errorf("%d query heads do not divide among %d KV heads", c.Heads.Query, c.Heads.KV)
	}
	if c.Heads.Size%2 != 0 {
		return fmt.Errorf("head size %d is odd: the rotation needs pairs", c.Heads.Size)
	}
	if err := c.Rope.check(c.Heads.Size); err != nil {
		return err
	}
	if c.SlidingRope != nil {
		if err := c.SlidingRope.check(c.Heads.Size); err != nil {
			return fmt.Errorf("layers with a sliding window: %w", err)
		}
	}
	if err := c.Mixture.check(c.Layers); err != nil {
		return err
	}
	if c.Experts > 0 && c.PostNorms {
		return errors.New("a mixture of experts with a norm behind it is not supported")
	}
	for what, v := range map[string]float32{"embeddings' scale": c.EmbeddingScale, "attention's scale": c.AttentionScale,
		"cap of the attention's scores": c.AttentionCap, "logits' cap": c.LogitCap} {
		if !(v >= 0) || math.IsInf(float64(v), 0) {
			return fmt.Errorf("the %s is %g", what, v)
		}
	}
	if err := c.Linear.check(c); err != nil {
		return err
	}
	if len(c.Windows) != c.Layers {
		return fmt.Errorf("%d sliding windows for %d layers", len(c.Windows), c.Layers)
	}
	for i, w := range c.Windows {
		if w < 0 {
			return fmt.Errorf("sliding window of layer %d is %d", i, w)
		}
	}
	return nil
}

// RopeOf is the rotation of a layer.
func (c Config) RopeOf(layer int) Rope {
	if c.SlidingRope != nil && c.Windows[layer] > 0 {
		return *c.SlidingRope
	}
	return c.Rope
}

// Scale is the factor of the attention's products.
func (c Config) Scale() float32 {
	if c.AttentionScale > 0 {
		return c.AttentionScale
	}
	return float32(1 / math.Sqrt(float64(c.Heads.Size)))
}

// QueryWidth is the width of all query heads together.
func (c Config) QueryWidth() int { return c.Heads.Query * c.Heads.Size }

// KVWidth is the width of all KV heads together.
func (c Config) KVWidth() int { return c.Heads.KV * c.Heads.Size }

// Parameters counts the model's numbers. Shared embeddings are counted once, and
// biases if the model has them.
func (c Config) Parameters() int64 {
	attention := int64(c.Width)*int64(c.QueryWidth()+2*c.KVWidth()) + int64(c.QueryWidth())*int64(c.Width)
	if c.QKVBias {
		attention += int64(c.QueryWidth() + 2*c.KVWidth())
	}
	if c.OutBias {
		attention += int64(c.Width)
	}
	if c.Sinks {
		attention += int64(c.Heads.Query)
	}
	if c.QKNorm {
		attention += int64(2 * c.Heads.Size)
	}
	dense := 3 * int64(c.Width) * int64(c.FF)
	mixture := c.Mixture.parameters(c.Width)
	sparse := int64(c.SparseLayers(c.Layers))
	if c.OutGate {
		attention += int64(c.Width) * int64(c.QueryWidth())
	}
	norms := 2 * int64(c.Width)
	if c.PostNorms {
		norms *= 2
	}
	linear := int64(c.Linear.Count())
	n := (int64(c.Layers)-linear)*attention + linear*c.Linear.parameters(c.Width) + int64(c.Layers)*norms + sparse*mixture + (int64(c.Layers)-sparse)*dense
	n += int64(c.Width) + int64(c.Vocab)*int64(c.Width)
	if !c.Tied {
		n += int64(c.Vocab) * int64(c.Width)
	}
	return n
}

// CacheBytesPerToken is the number of bytes of one token in the full cache's layers in which policies choose.
func (c Config) CacheBytesPerToken(t engine.Type) int64 {
	return 2 * int64(len(c.PolicyLayers())) * int64(c.KVWidth()) * int64(t.Size())
}
