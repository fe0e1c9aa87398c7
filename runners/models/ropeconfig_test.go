package models

import (
	"math"
	"reflect"
	"strings"
	"testing"
)

const qwen3Like = `{"model_type": "qwen3", "num_hidden_layers": 2, "hidden_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 32,
 "intermediate_size": 160, "vocab_size": 512, "max_position_embeddings": 40960, `

// scalingLike is qwen3Like, or, where a text turns a part of each head, the same of a family that does.
func scalingLike(text string) []byte {
	if strings.Contains(text, "partial_rotary_factor") {
		return []byte(strings.Replace(qwen3Like, "qwen3", "phi3", 1) + text)
	}
	return []byte(qwen3Like + text)
}

// TestSpellingsOfScaling: one rotation in every form that files have it in.
func TestSpellingsOfScaling(t *testing.T) {
	yarn := Rope{Theta: 1e6, Type: "yarn", Factor: 4, Original: 32768, BetaFast: 32, BetaSlow: 1, Truncate: true}
	all := yarn
	all.BetaFast, all.BetaSlow, all.Truncate, all.Amplitude, all.MScale, all.MScaleAll = 16, 2, false, 1.5, 0.7, 0.9
	inferred := yarn
	inferred.Factor, inferred.Original = 1.25, 32768
	itself := yarn
	itself.Factor, itself.Original = 2, 40960
	short, long := []float32{1, 1.5, 2, 4}, []float32{2, 3, 4, 5}
	longrope := Rope{Theta: 10000, Type: "longrope", Channels: 8, Factor: 10, Original: 4096, Short: short, Long: long}
	stated := longrope
	stated.Factor, stated.Amplitude = 3, 1.25
	for _, c := range []struct {
		want    Rope
		context int
		texts   []string
	}{
		{yarn, 131072, []string{
			`"rope_theta": 1000000, "rope_scaling": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}}`,
			`"rope_theta": 1000000, "rope_scaling": {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}}`,
			`"rope_parameters": {"rope_theta": 1000000, "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}}`,
			`"rope_theta": 1000000, "original_max_position_embeddings": 32768, "rope_scaling": {"type": "yarn", "factor": 4.0}}`,
		}},
		{all, 131072, []string{`"rope_parameters": {"rope_theta": 1000000, "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768,
			"beta_fast": 16, "beta_slow": 2, "truncate": false, "attention_factor": 1.5, "mscale": 0.7, "mscale_all_dim": 0.9}}`}},
		{inferred, 40960, []string{`"rope_theta": 1000000, "rope_scaling": {"type": "yarn", "original_max_position_embeddings": 32768}}`}},
		{itself, 81920, []string{`"rope_theta": 1000000, "rope_scaling": {"type": "yarn", "factor": 2}}`}},
		{longrope, 40960, []string{
			`"original_max_position_embeddings": 4096, "partial_rotary_factor": 0.25, "rope_scaling": {"type": "longrope", "short_factor": [1, 1.5, 2, 4], "long_factor": [2, 3, 4, 5]}}`,
			`"original_max_position_embeddings": 4096, "partial_rotary_factor": 0.25, "rope_scaling": {"type": "su", "short_factor": [1, 1.5, 2, 4], "long_factor": [2, 3, 4, 5]}}`,
			`"rope_parameters": {"rope_theta": 10000.0, "partial_rotary_factor": 0.25, "original_max_position_embeddings": 4096, "rope_type": "longrope", "short_factor": [1, 1.5, 2, 4], "long_factor": [2, 3, 4, 5]}}`,
		}},
		{stated, 40960, []string{`"original_max_position_embeddings": 4096, "partial_rotary_factor": 0.25,
			"rope_scaling": {"type": "longrope", "factor": 3, "attention_factor": 1.25, "short_factor": [1, 1.5, 2, 4], "long_factor": [2, 3, 4, 5]}}`}},
	} {
		for _, text := range c.texts {
			config, err := ParseConfig("config.json", scalingLike(text), nil)
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			if !reflect.DeepEqual(config.Rope, c.want) || config.Context != c.context {
				t.Errorf("%s: %+v for %d positions, want %+v for %d", text, config.Rope, config.Context, c.want, c.context)
			}
		}
	}
}

func TestScalingErrors(t *testing.T) {
	for text, want := range map[string]string{
		`"rope_scaling": {"type": "dynamic", "factor": 2}}`:                                                                       `rope scaling "dynamic": have default, linear, llama3, longrope, yarn`,
		`"rope_scaling": {"type": "yarn", "factor": 0.5}}`:                                                                        "rope scaling yarn: factor is 0.5",
		`"rope_scaling": {"type": "yarn", "original_max_position_embeddings": 100000}}`:                                           "rope scaling yarn: factor is 0.4096",
		`"rope_scaling": {"type": "yarn", "factor": 2, "original_max_position_embeddings": 0}}`:                                   "original_max_position_embeddings is 0",
		`"rope_scaling": {"type": "yarn", "factor": 2, "beta_fast": 1, "beta_slow": 2}}`:                                          "beta_fast is 1 and beta_slow 2",
		`"rope_scaling": {"type": "yarn", "factor": 2, "attention_factor": -1}}`:                                                  "attention_factor is -1",
		`"rope_scaling": {"type": "yarn", "factor": 2, "mscale": -1}}`:                                                            "mscale is -1",
		`"rope_scaling": {"type": "yarn", "factor": 1e12}}`:                                                                       "context is 2147483648",
		`"rope_scaling": {"type": "longrope"}}`:                                                                                   "short_factor has 0 numbers, heads have 16 pairs that turn",
		`"partial_rotary_factor": 0.125, "rope_scaling": {"type": "longrope", "short_factor": [1, 2], "long_factor": [1]}}`:       "long_factor has 1 numbers, heads have 2 pairs that turn",
		`"partial_rotary_factor": 0.125, "rope_scaling": {"type": "longrope", "short_factor": [1, 0], "long_factor": [1, 1]}}`:    "short_factor[1] is 0",
		`"partial_rotary_factor": 0.125, "rope_scaling": {"type": "longrope", "short_factor": [1, 1], "long_factor": [1, 1e40]}}`: "cannot unmarshal number 1e40",
		`"partial_rotary_factor": 1.5}`:                                                                                           "partial_rotary_factor is 1.5",
		`"partial_rotary_factor": -0.5}`:                                                                                          "partial_rotary_factor is -0.5",
		`"partial_rotary_factor": 0.001}`:                                                                                         "leaves no pair to turn",
		`"partial_rotary_factor": 0.1}`:                                                                                           "turns 3 channels of heads of 32",
	} {
		if c, err := ParseConfig("config.json", scalingLike(text), nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %+v, %v; want an error with %q", text, c.Rope, err, want)
		}
	}
}

// TestYaRN: pairs that turn more often than beta_fast over the original context stay, those
// that turn less often than beta_slow are divided by the factor, and the share in between is a
// line over the pairs' numbers (arXiv 2309.00071, section 3.2).
func TestYaRN(t *testing.T) {
	const d = 128
	base := Rope{Theta: 1e6, Type: "yarn", Factor: 4, Original: 32768, BetaFast: 32, BetaSlow: 1, Truncate: true}
	for name, change := range map[string]func(*Rope){
		"defaults":       func(*Rope) {},
		"not truncated":  func(r *Rope) { r.Truncate = false },
		"other betas":    func(r *Rope) { r.BetaFast, r.BetaSlow = 4, 0.5 },
		"short original": func(r *Rope) { r.Original = 64 },
		"one beta":       func(r *Rope) { r.BetaFast, r.BetaSlow, r.Truncate = 8, 8, false },
		"part of a head": func(r *Rope) { r.Channels = 96 },
	} {
		r := base
		change(&r)
		plain := r
		plain.Type = "default"
		unscaled, got := plain.Frequencies(d), r.Frequencies(d)
		channels := float64(2 * len(got))
		at := func(turns float64) float64 {
			return channels * math.Log(r.Original/(turns*2*math.Pi)) / (2 * math.Log(r.Theta))
		}
		low, high := at(r.BetaFast), at(r.BetaSlow)
		if r.Truncate {
			low, high = math.Floor(low), math.Ceil(high)
		}
		low = math.Max(low, 0)
		if low == high {
			high += 0.001
		}
		kept, divided, between := 0, 0, 0
		for i, f := range unscaled {
			want := float64(f)
			switch x := (float64(i) - low) / (high - low); {
			case x <= 0:
				kept++
			case x >= 1:
				divided++
				want /= r.Factor
			default:
				between++
				want = want/r.Factor*x + want*(1-x)
			}
			if !(math.Abs(float64(got[i])/want-1) < 1e-5) {
				t.Errorf("%s: frequency %d is %g, want %g", name, i, got[i], want)
			}
		}
		if divided == 0 || between == 0 && name != "one beta" || kept == 0 && name != "short original" {
			t.Errorf("%s: %d kept, %d divided, %d between: the test shows too little", name, kept, divided, between)
		}
	}
}

func TestAmplitude(t *testing.T) {
	for _, c := range []struct {
		r    Rope
		want float64
	}{
		{Rope{Type: "default"}, 1},
		{Rope{Type: "linear", Factor: 8}, 1},
		{Rope{Type: "yarn", Factor: 4}, 1.138629},   // 0.1·ln 4 + 1
		{Rope{Type: "yarn", Factor: 32}, 1.3465736}, // gpt-oss: 0.1·ln 32 + 1
		{Rope{Type: "yarn", Factor: 1}, 1},
		{Rope{Type: "yarn", Factor: 4, Amplitude: 1.3}, 1.3},
		{Rope{Type: "yarn", Factor: 40, MScale: 1, MScaleAll: 1}, 1},         // DeepSeek-V3
		{Rope{Type: "yarn", Factor: 40, MScale: 0.707}, 1.3688879},           // one scale alone does not count: 0.1·ln 40 + 1
		{Rope{Type: "yarn", Factor: 40, MScale: 1, MScaleAll: 2}, 0.7877241}, // 1.3688879 over 1.7377759
		{Rope{Type: "longrope", Factor: 8, Original: 128}, 1.1952286},        // √(1 + ln 8/ln 128) = √(10/7)
		{Rope{Type: "longrope", Factor: 1, Original: 128}, 1},
	} {
		if got := c.r.amplitude(); !(math.Abs(got-c.want) < 1e-6) {
			t.Errorf("%+v: %g, want %g", c.r, got, c.want)
		}
	}
}
