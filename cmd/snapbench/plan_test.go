package main

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A plan needs no card, data or weights, and says by which rates it goes; those that speed measured serve as those recorded.
func TestPlan(t *testing.T) {
	var f struct {
		Prompts  int     `json:"prompts"`
		Tokens   int     `json:"prompt_tokens"`
		RowSteps int     `json:"row_steps"`
		Total    float64 `json:"total_seconds"`
		Cost     float64 `json:"cost"`
		Longest  int     `json:"longest_tokens"`
		Variants []struct{ Variant string }
	}
	ask := func(args ...string) string {
		t.Helper()
		out := pass(t, append([]string{"plan"}, args...)...)
		if strings.HasPrefix(out, "{") {
			if err := json.Unmarshal([]byte(out), &f); err != nil {
				t.Fatal(err)
			}
		}
		return out
	}
	ask("longbench", "--model", "shape:llama-3-8b", "--device", "h200", "--budgets", "full,1024,2048", "--price", "2", "--json")
	if f.Prompts != 3750 || f.RowSteps != 3*(508800-3750) || f.Tokens < 36e6 || f.Tokens > 40e6 || len(f.Variants) != 3 || math.Abs(f.Cost-2*f.Total/3600) > 1e-6 {
		t.Errorf("%+v", f)
	}
	whole := f.Total
	ask("longbench", "--device", "h200", "--limit", "60", "--budgets", "full,1024,2048", "--json")
	if f.Prompts != 960 || f.Total > 0.4*whole || f.Total < 0.15*whole { // 3750 prompts, many of them in two long sets of short answers
		t.Errorf("%d prompts take %v of %v s", f.Prompts, f.Total, whole)
	}
	// A model's own context cuts prompts, and config.json alone is enough.
	dir := t.TempDir()
	config := `{"model_type": "llama", "num_hidden_layers": 32, "hidden_size": 4096, "num_attention_heads": 32, "num_key_value_heads": 8, "intermediate_size": 14336,
		"vocab_size": 128256, "max_position_embeddings": 8192, "rms_norm_eps": 1e-5, "hidden_act": "silu", "rope_theta": 500000}`
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	ask("longbench", "--model", dir, "--device", "h200", "--limit", "10", "--json")
	if f.Longest > 8192 || f.Longest < 8000 {
		t.Errorf("the longest prompt of a context of 8192 has %d tokens", f.Longest)
	}
	rates := filepath.Join(t.TempDir(), "rates.json")
	measured := pass(t, "speed", "--model", "shape:tiny", "--device", "cpu", "--lengths", "256", "--budgets", "full", "--max-new", "3", "--warmup", "1", "--memory", "1g", "--json", "--quiet")
	if err := os.WriteFile(rates, []byte(measured), 0o644); err != nil {
		t.Fatal(err)
	}
	if out := ask("needle", "--model", "shape:tiny", "--rates", rates, "--lengths", "1k"); !strings.Contains(out, "shape:tiny: 256 tokens read") || !strings.Contains(out, "niah") {
		t.Error(out)
	}
	for want, args := range map[string][]string{
		"by which rates?": {"longbench"},
		"have h100, h200": {"longbench", "--device", "cpu"},
		"unknown task":    {"nosuch", "--device", "h200"},
		"regular file":    {"longbench", "--rates", t.TempDir()},
		"unknown shape":   {"longbench", "--device", "h200", "--model", "shape:nosuch"},
		"--price: a price of -1 an hour: want 0 or more": {"longbench", "--device", "h200", "--price", "-1"},
	} {
		if status, _, stderr := snapbench(append([]string{"plan"}, args...)...); status == exitPass || !strings.Contains(stderr, want) {
			t.Errorf("%v: status %d: %s; want %q", args, status, stderr, want)
		}
	}
}
