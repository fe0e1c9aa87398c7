package modeltest

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners/models"
	"github.com/snapbench/snapbench/runners/sharedtest"
	"github.com/snapbench/snapbench/runners/weights"
)

// ggufTensor is a tensor of a GGUF file: its shape slowest dimension first, ggml's number of
// its type.
type ggufTensor struct {
	shape []int
	kind  uint32
	data  []byte
}

// writeGGUF writes a GGUF file of version 3 (ggml's docs/gguf.md). Values are string, uint32,
// float32, bool, []string, []int32 or []bool.
func writeGGUF(t *testing.T, path string, keys map[string]any, tensors map[string]ggufTensor) {
	t.Helper()
	var b, data bytes.Buffer
	put := func(v any) { binary.Write(&b, binary.LittleEndian, v) }
	text := func(s string) { put(uint64(len(s))); b.WriteString(s) }
	b.WriteString("GGUF")
	put(uint32(3))
	put(uint64(len(tensors)))
	put(uint64(len(keys)))
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		text(key)
		switch v := keys[key].(type) {
		case string:
			put(uint32(8))
			text(v)
		case uint32:
			put(uint32(4))
			put(v)
		case float32:
			put(uint32(6))
			put(v)
		case bool:
			put(uint32(7))
			put(v)
		case []string:
			put(uint32(9))
			put(uint32(8))
			put(uint64(len(v)))
			for _, s := range v {
				text(s)
			}
		case []int32:
			put(uint32(9))
			put(uint32(5))
			put(uint64(len(v)))
			put(v)
		case []bool:
			put(uint32(9))
			put(uint32(7))
			put(uint64(len(v)))
			put(v)
		default:
			t.Fatalf("key %s has a %T", key, v)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(tensors)) {
		x := tensors[name]
		text(name)
		put(uint32(len(x.shape)))
		for _, n := range slices.Backward(x.shape) {
			put(uint64(n))
		}
		put(x.kind)
		put(uint64(data.Len()))
		data.Write(x.data)
		data.Write(make([]byte, -data.Len()&31))
	}
	b.Write(make([]byte, -b.Len()&31))
	b.Write(data.Bytes())
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

func floatTensor(shape []int, values []float32) ggufTensor {
	x := ggufTensor{shape: shape}
	for _, v := range values {
		x.data = binary.LittleEndian.AppendUint32(x.data, math.Float32bits(v))
	}
	return x
}

// ggufNames are the names in GGUF files of the tensors of a layer (gguf.constants of the gguf package).
var ggufNames = map[string]string{
	"input_layernorm.weight": "attn_norm.weight", "post_attention_layernorm.weight": "ffn_norm.weight",
	"self_attn.q_norm.weight": "attn_q_norm.weight", "self_attn.k_norm.weight": "attn_k_norm.weight",
	"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
	"self_attn.qkv_proj": "attn_qkv", "mlp.gate_up_proj": "ffn_up",
	"self_attn.sinks": "attn_sinks.weight", "mlp.router": "ffn_gate_inp",
	"mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down", "mlp.gate": "ffn_gate_inp",
}

var layerTensor = regexp.MustCompile(`^model\.layers\.(\d+)\.(.*)$`)

// renamed gives a checkpoint's tensors their names in GGUF files. rename may change the name
// of a layer's tensor, or take the tensor and answer "".
func renamed(t *testing.T, f *weights.File, rename func(layer, name string, x *weights.Tensor) string) map[string]ggufTensor {
	t.Helper()
	whole := map[string]string{"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight", "lm_head.weight": "output.weight"}
	out := map[string]ggufTensor{}
	for _, name := range f.Names() {
		x, err := f.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		to := whole[name]
		if m := layerTensor.FindStringSubmatch(name); m != nil {
			own := rename(m[1], m[2], x)
			if own == "" {
				continue
			}
			to = ggufNames[own]
			if stem, end, ok := cutLast(own, "."); ok && to == "" && ggufNames[stem] != "" {
				to = ggufNames[stem] + "." + end
			}
			if to == "" {
				to = own
			}
			to = "blk." + m[1] + "." + to
		}
		values, err := x.Floats()
		if err != nil || to == "" {
			t.Fatalf("%s: %v", name, err)
		}
		out[to] = floatTensor(x.Shape(), values)
	}
	return out
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}

// sameModels fails where two files of a model do not give the same logits.
func sameModels(t *testing.T, a, b string) {
	t.Helper()
	var logits [2][]float32
	for i, path := range []string{a, b} {
		m := Load(t, CPU(t), path)
		defer m.Close()
		ids := make([]int32, 150) // beyond the first list of longrope
		for j := range ids {
			ids[j] = int32(j*j*7+11*j+5) % int32(m.Vocab)
		}
		p, err := m.Prefill(context.Background(), models.Prompt{IDs: ids})
		if err != nil {
			t.Fatal(err)
		}
		p.Free()
		logits[i] = p.Logits
	}
	if err := sameLogits(logits[0], logits[1]); err != nil {
		t.Errorf("%s and %s: %v", a, b, err)
	}
}

// TestQwen3MoEFromGGUF: a checkpoint of the hub and the same tensors in a GGUF file, each
// expert a slice of a stack, are one model.
func TestQwen3MoEFromGGUF(t *testing.T) {
	dir := sharedtest.Path(t, "families/qwen3_moe")
	f, err := weights.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	expert := regexp.MustCompile(`^mlp\.experts\.(\d+)\.(gate|up|down)_proj\.weight$`)
	stacks := map[string][][]float32{}
	shapes := map[string][]int{}
	tensors := renamed(t, f, func(layer, name string, x *weights.Tensor) string {
		m := expert.FindStringSubmatch(name)
		if m == nil {
			return name
		}
		to := fmt.Sprintf("blk.%s.ffn_%s_exps.weight", layer, m[2])
		var e int
		fmt.Sscan(m[1], &e)
		if stacks[to] == nil {
			stacks[to] = make([][]float32, 8)
		}
		if stacks[to][e], err = x.Floats(); err != nil {
			t.Fatal(err)
		}
		shapes[to] = append([]int{8}, x.Shape()...)
		return ""
	})
	for name, experts := range stacks {
		tensors[name] = floatTensor(shapes[name], slices.Concat(experts...))
	}
	path := filepath.Join(t.TempDir(), "qwen3moe.gguf")
	writeGGUF(t, path, map[string]any{
		"general.architecture": "qwen3moe", "qwen3moe.block_count": uint32(3), "qwen3moe.embedding_length": uint32(64),
		"qwen3moe.feed_forward_length": uint32(160), "qwen3moe.expert_feed_forward_length": uint32(32),
		"qwen3moe.context_length": uint32(4096), "qwen3moe.attention.layer_norm_rms_epsilon": float32(1e-6),
		"qwen3moe.attention.head_count": uint32(4), "qwen3moe.attention.head_count_kv": uint32(2), "qwen3moe.attention.key_length": uint32(32),
		"qwen3moe.rope.freq_base": float32(1e6), "qwen3moe.expert_count": uint32(8), "qwen3moe.expert_used_count": uint32(2),
	}, tensors)
	sameModels(t, dir, path)
}

// TestGptOSSFromGGUF: a checkpoint of the hub and the same numbers in a GGUF file, experts in
// blocks of MXFP4 in either order, are one model. GGUF files have no limit of the activation, which is 7.
func TestGptOSSFromGGUF(t *testing.T) {
	from, dir := sharedtest.Path(t, "families/gpt_oss_mxfp4"), t.TempDir()
	for _, name := range []string{"config.json", "model.safetensors"} {
		data, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			t.Fatal(err)
		}
		if name == "config.json" {
			data = bytes.Replace(data, []byte(`"swiglu_limit": 2.0`), []byte(`"swiglu_limit": 7.0`), 1)
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f, err := weights.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const experts, width, ff = 4, 64, 32
	extra := map[string]ggufTensor{}
	tensors := renamed(t, f, func(layer, name string, x *weights.Tensor) string {
		if name == "post_attention_layernorm.weight" {
			return "post_attention_norm.weight"
		}
		own, found := strings.CutPrefix(name, "mlp.experts.")
		if !found {
			return name
		}
		to := func(part string) string { return "blk." + layer + ".ffn_" + part }
		switch own {
		case "gate_up_proj_bias":
			values, _ := x.Floats()
			var gate, up []float32
			for i := 0; i < len(values); i += 2 {
				gate, up = append(gate, values[i]), append(up, values[i+1])
			}
			extra[to("gate_exps.bias")] = floatTensor([]int{experts, ff}, gate)
			extra[to("up_exps.bias")] = floatTensor([]int{experts, ff}, up)
		case "down_proj_bias":
			values, _ := x.Floats()
			extra[to("down_exps.bias")] = floatTensor([]int{experts, width}, values)
		case "gate_up_proj_blocks", "down_proj_blocks":
			scales, err := f.Tensor(strings.Replace(x.Name(), "_blocks", "_scales", 1))
			if err != nil {
				t.Fatal(err)
			}
			rows, blocks := x.Shape()[1], x.Shape()[2]
			for r := range experts * rows {
				part := to("down_exps.weight")
				if own[0] == 'g' {
					part = to([]string{"gate_exps.weight", "up_exps.weight"}[r%2])
				}
				stack := extra[part]
				stack.kind, stack.shape = 39, []int{experts, rows, 32 * blocks}
				if own[0] == 'g' {
					stack.shape[1] = rows / 2
				}
				for b := r * blocks; b < (r+1)*blocks; b++ {
					var codes [32]byte // in the order of the numbers
					for i := range codes {
						codes[i] = x.Raw()[16*b+i/2] >> (4 * (i % 2)) & 15
					}
					stack.data = append(stack.data, scales.Raw()[b])
					for i := range 16 {
						stack.data = append(stack.data, codes[i]|codes[16+i]<<4)
					}
				}
				extra[part] = stack
			}
		}
		return ""
	})
	maps.Copy(tensors, extra)
	path := filepath.Join(t.TempDir(), "gpt-oss.gguf")
	writeGGUF(t, path, map[string]any{
		"general.architecture": "gpt-oss", "gpt-oss.block_count": uint32(2), "gpt-oss.embedding_length": uint32(width),
		"gpt-oss.feed_forward_length": uint32(ff), "gpt-oss.expert_feed_forward_length": uint32(ff),
		"gpt-oss.context_length": uint32(2048), "gpt-oss.attention.layer_norm_rms_epsilon": float32(1e-5),
		"gpt-oss.attention.head_count": uint32(4), "gpt-oss.attention.head_count_kv": uint32(1), "gpt-oss.attention.key_length": uint32(32),
		"gpt-oss.attention.sliding_window": uint32(64), "gpt-oss.expert_count": uint32(experts), "gpt-oss.expert_used_count": uint32(2),
		"gpt-oss.rope.freq_base": float32(150000), "gpt-oss.rope.scaling.type": "yarn", "gpt-oss.rope.scaling.factor": float32(32),
		"gpt-oss.rope.scaling.original_context_length": uint32(64),
	}, tensors)
	sameModels(t, dir, path)
}

// loadError is why a model cannot be loaded.
func loadError(t *testing.T, path string) error {
	t.Helper()
	files, err := models.Open(path)
	if err != nil {
		return err
	}
	defer files.Close()
	m, err := models.Load(CPU(t), files, nil)
	if err == nil {
		m.Close()
	}
	return err
}
