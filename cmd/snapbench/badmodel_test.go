package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A model's files that contradict themselves end the program with status 1, an error that
// names the file and what is wrong in it, and no results.
func TestBadModels(t *testing.T) {
	good := tinyModel(t)
	weights := func(change func(header map[string]map[string]any, data []byte) []byte) func(*testing.T, string) {
		return func(t *testing.T, dir string) { rewriteSafetensors(t, filepath.Join(dir, "model.safetensors"), change) }
	}
	tensor := func(field string, value any) func(*testing.T, string) {
		return weights(func(h map[string]map[string]any, data []byte) []byte {
			h["model.layers.0.self_attn.q_proj.weight"][field] = value
			return data
		})
	}
	cut := func(name string, keep func(n int64) int64) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			path := filepath.Join(dir, name)
			info, err := os.Stat(path)
			if err == nil {
				err = os.Truncate(path, keep(info.Size()))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	edit := func(name, key string, value any) func(*testing.T, string) {
		return func(t *testing.T, dir string) { editJSON(t, filepath.Join(dir, name), key, value) }
	}
	write := func(name, text string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range []struct {
		name   string
		damage func(*testing.T, string)
		want   string
	}{
		{"weights empty", cut("model.safetensors", func(int64) int64 { return 0 }), "model.safetensors: byte 0"},
		{"header cut", cut("model.safetensors", func(int64) int64 { return 100 }), "cut short"},
		{"data cut", cut("model.safetensors", func(n int64) int64 { return n - 1 }), "cut short"},
		{"shape against bytes", tensor("shape", []int{32, 33}), "takes 4224"},
		{"negative shape", tensor("shape", []int{-1, -1024}), "-1 is not a count"},
		{"shape that overflows", tensor("shape", []int{1 << 62, 4}), "too large"},
		{"another rank", tensor("shape", []int{1024}), "has shape [1024], want [32 32]"},
		{"unknown dtype", tensor("dtype", "Q9"), `unknown dtype "Q9"`},
		{"offsets outside", tensor("data_offsets", []int64{0, 1 << 40}), "outside the file's"},
		{"overlap", tensor("data_offsets", []int{0, 4096}), "overlaps"},
		{"absent tensor", weights(func(h map[string]map[string]any, data []byte) []byte {
			h["model.layers.0.self_attn.other.weight"] = h["model.layers.0.self_attn.q_proj.weight"]
			delete(h, "model.layers.0.self_attn.q_proj.weight")
			return data
		}), `no tensor "model.layers.0.self_attn.q_proj.weight"`},
		{"bytes of nobody", weights(func(_ map[string]map[string]any, data []byte) []byte { return append(data, 1, 2) }), "belong to no tensor"},
		{"a layer too few", edit("config.json", "num_hidden_layers", 1), "has 1 layers, the weights have more"},
		{"a layer too many", edit("config.json", "num_hidden_layers", 3), `no tensor "model.layers.2.`},
		{"absent bias", edit("config.json", "attention_bias", true), `no tensor "model.layers.0.self_attn.q_proj.bias"`},
		{"epsilon", edit("config.json", "rms_norm_eps", -1), "epsilon is -1"},
		{"heads", edit("config.json", "num_key_value_heads", 3), "4 query heads do not divide among 3 KV heads"},
		{"family", edit("config.json", "model_type", "gpt"), `unknown model_type "gpt": have gemma2`},
		{"activation", edit("config.json", "hidden_act", "gelu"), `hidden_act "gelu"`},
		{"untied without output", edit("config.json", "tie_word_embeddings", false), `no tensor "lm_head.weight"`},
		{"torn config", write("config.json", "{"), "config.json:1"},
		{"torn tokenizer", write("tokenizer.json", `{"model":`), "tokenizer.json: byte 9"},
		{"empty tokenizer", write("tokenizer.json", "{}"), "tokenizer.json: no model"},
		{"unknown tokenizer", edit("tokenizer.json", "model", map[string]any{"type": "Unigram"}), `"Unigram" is not supported`},
		{"unknown pre-tokenizer", edit("tokenizer.json", "pre_tokenizer", map[string]any{"type": "Foo"}), `pre_tokenizer "Foo"`},
		{"broken template", write("tokenizer_config.json", `{"chat_template": "{% for m in %}"}`), "chat template does not parse"},
		{"index to nowhere", func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, "model.safetensors")); err != nil {
				t.Fatal(err)
			}
			write("model.safetensors.index.json", `{"weight_map": {"model.norm.weight": "one.safetensors"}}`)(t, dir)
		}, `shard "one.safetensors"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "bad")
			if err := os.CopyFS(dir, os.DirFS(good)); err != nil {
				t.Fatal(err)
			}
			c.damage(t, dir)
			out := filepath.Join(t.TempDir(), "out")
			var stdout, stderr bytes.Buffer
			code := run([]string{"needle", "--model", dir, "--device", "cpu", "--lengths", "512", "--depths", "1", "--out", out, "--quiet"}, &stdout, &stderr)
			if code != exitCannotRun || !strings.Contains(stderr.String(), c.want) || !strings.Contains(stderr.String(), "bad") {
				t.Errorf("status %d, %q; want %d, the file and %q", code, stderr.String(), exitCannotRun, c.want)
			}
			if _, err := os.Stat(out); err == nil {
				t.Error("results of a model that cannot run")
			}
		})
	}
}

func editJSON(t *testing.T, path, key string, value any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(data, &fields); err != nil {
		t.Fatal(err)
	}
	fields[key] = value
	if data, err = json.Marshal(fields); err == nil {
		err = os.WriteFile(path, data, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func rewriteSafetensors(t *testing.T, path string, change func(header map[string]map[string]any, data []byte) []byte) {
	t.Helper()
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	n := binary.LittleEndian.Uint64(file)
	var header map[string]map[string]any
	if err := json.Unmarshal(file[8:8+n], &header); err != nil {
		t.Fatal(err)
	}
	data := change(header, file[8+n:])
	text, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	out := append(binary.LittleEndian.AppendUint64(nil, uint64(len(text))), text...)
	if err := os.WriteFile(path, append(out, data...), 0o644); err != nil {
		t.Fatal(err)
	}
}
