package modeltest

import (
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners/models"
	"github.com/snapbench/snapbench/runners/sharedtest"
	"github.com/snapbench/snapbench/runners/weights"
)

// ropeGGUF writes a checkpoint of the families as a GGUF file with the keys of its configuration,
// and those that are given.
func ropeGGUF(t *testing.T, from, architecture string, keys map[string]any) string {
	t.Helper()
	c, err := models.ReadConfig(from)
	if err != nil {
		t.Fatal(err)
	}
	f, err := weights.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	tensors := renamed(t, f, func(_, name string, _ *weights.Tensor) string { return name })
	all := map[string]any{
		"block_count": uint32(c.Layers), "embedding_length": uint32(c.Width), "feed_forward_length": uint32(c.FF),
		"context_length": uint32(c.Context), "attention.layer_norm_rms_epsilon": c.Epsilon, "attention.head_count": uint32(c.Heads.Query),
		"attention.head_count_kv": uint32(c.Heads.KV), "attention.key_length": uint32(c.Heads.Size), "rope.freq_base": float32(c.Rope.Theta),
	}
	maps.Copy(all, keys)
	named := map[string]any{"general.architecture": architecture}
	for name, v := range all {
		if list, ok := v.([]float32); ok {
			tensors[name] = floatTensor([]int{len(list)}, list)
			continue
		}
		if strings.HasPrefix(name, "tokenizer.") {
			named[name] = v
			continue
		}
		named[architecture+"."+name] = v
	}
	path := filepath.Join(t.TempDir(), architecture+".gguf")
	writeGGUF(t, path, named, tensors)
	return path
}

// TestPhi3FromGGUF: a checkpoint of the hub and the same tensors in a GGUF file, the lists of
// longrope as tensors and its amplitude as converters of Phi-3 write it, are one model.
func TestPhi3FromGGUF(t *testing.T) {
	for name, channels := range map[string]int{"phi3_longrope": 16, "phi3_partial": 12} {
		dir := sharedtest.Path(t, "families", name)
		c, err := models.ReadConfig(dir)
		if err != nil {
			t.Fatal(err)
		}
		keys := map[string]any{
			"rope.dimension_count": uint32(channels), "rope.scaling.original_context_length": uint32(128), "rope.scaling.attn_factor": float32(1.1952286),
			"rope_factors_short.weight": c.Rope.Short, "rope_factors_long.weight": c.Rope.Long,
		}
		sameModels(t, dir, ropeGGUF(t, dir, "phi3", keys))
		keys["attention.sliding_window"] = uint32(20)
		files, err := models.Open(ropeGGUF(t, dir, "phi3", keys))
		if err != nil {
			t.Fatal(err)
		}
		for i, w := range files.Config.Windows {
			if w != 20 {
				t.Errorf("%s: layer %d has a sliding window of %d, want 20", name, i, w)
			}
		}
		files.Close()
	}
}

// TestYaRNFromGGUF: YaRN's settings in GGUF's keys are those of config.json.
func TestYaRNFromGGUF(t *testing.T) {
	dir := sharedtest.Path(t, "families", "qwen3_yarn")
	yarn := func(more map[string]any) map[string]any {
		keys := map[string]any{"rope.scaling.type": "yarn", "rope.scaling.factor": float32(4), "rope.scaling.original_context_length": uint32(64)}
		maps.Copy(keys, more)
		return keys
	}
	sameModels(t, dir, ropeGGUF(t, dir, "qwen3", yarn(nil)))
	open := func(keys map[string]any) (models.Rope, error) {
		files, err := models.Open(ropeGGUF(t, dir, "qwen3", keys))
		if err != nil {
			return models.Rope{}, err
		}
		defer files.Close()
		return files.Config.Rope, nil
	}
	own, err := open(yarn(nil))
	if err != nil {
		t.Fatal(err)
	}
	other, err := open(yarn(map[string]any{"rope.scaling.yarn_beta_fast": float32(16), "rope.scaling.yarn_beta_slow": float32(2), "rope.scaling.attn_factor": float32(0.5)}))
	if err != nil || other.BetaFast != 16 || other.BetaSlow != 2 || other.Rotation(32).Scale != own.Rotation(32).Scale/2 {
		t.Errorf("%+v (%v)", other, err)
	}
	for want, keys := range map[string]map[string]any{
		"yarn_log_multiplier is not supported":                     yarn(map[string]any{"rope.scaling.yarn_log_multiplier": float32(0.1)}),
		`rope scaling "dynamic": have`:                             yarn(map[string]any{"rope.scaling.type": "dynamic"}),
		"rope.dimension_count is 0 of heads of 32":                 yarn(map[string]any{"rope.dimension_count": uint32(0)}),
		"turns 33 channels of heads of 32":                         yarn(map[string]any{"rope.dimension_count": uint32(33)}),
		"factor is 0.5":                                            yarn(map[string]any{"rope.scaling.factor": float32(0.5)}),
		"short_factor has 0 numbers, heads have 16 pairs":          {"rope_factors_long.weight": make([]float32, 16)},
		`"rope_factors_long.weight" has shape [15], want [16]`:     {"rope_factors_long.weight": make([]float32, 15)},
		"context is 2147483648":                                    yarn(map[string]any{"rope.scaling.original_context_length": uint32(1<<32 - 1)}),
		"rope scaling yarn: original_max_position_embeddings is 0": yarn(map[string]any{"rope.scaling.original_context_length": uint32(0)}),
	} {
		if r, err := open(keys); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %+v, %v; want an error with %q", keys, r, err, want)
		}
	}
}
