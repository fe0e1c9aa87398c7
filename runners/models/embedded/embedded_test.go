package embedded_test

import (
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/local"
	"github.com/snapbench/snapbench/runners/models"
	"github.com/snapbench/snapbench/runners/models/embedded"
	"github.com/snapbench/snapbench/runners/modeltest"
	"github.com/snapbench/snapbench/runners/ref"
	"github.com/snapbench/snapbench/runners/tokenizer"
)

// greedy is the answers of transformers in float32: the prompts' ids, the chosen
// tokens, their text, and the smallest margin of a choice.
type greedy struct {
	Prompts []struct {
		Prompt string
		IDs    []int32
		Tokens []int32
		Text   string
		Margin float64
	}
}

func TestGreedyText(t *testing.T) {
	t.Run("ref", func(t *testing.T) { greedyText(t, ref.New()) })
	t.Run("cpu", func(t *testing.T) { greedyText(t, modeltest.CPU(t)) })
	t.Run("cuda", func(t *testing.T) { greedyText(t, modeltest.CUDA(t, engine.Float32)) })
}

func greedyText(t *testing.T, device engine.Device) {
	data, err := os.ReadFile(filepath.Join("testdata", "greedy.json"))
	if err != nil {
		t.Fatal(err)
	}
	var want greedy
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	if len(want.Prompts) != 3 {
		t.Fatalf("%d prompts, want 3", len(want.Prompts))
	}
	dir, err := embedded.Extract(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	text, err := tokenizer.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if eos := text.EOS(); !slices.Equal(eos, []int32{0}) {
		t.Errorf("end tokens %v, want [0]", eos)
	}
	model, err := models.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer model.Close()
	loaded, err := models.Load(device, model, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer loaded.Close()
	run := local.New(loaded, func(ids []int32) string { return text.Decode(ids, false) })
	for _, p := range want.Prompts {
		ids, err := text.Encode(p.Prompt, true)
		if err != nil || !slices.Equal(ids, p.IDs) {
			t.Errorf("%.40q: ids %v (%v), want %v", p.Prompt, ids, err, p.IDs)
			continue
		}
		if !(p.Margin > 0.05) {
			t.Errorf("%.40q: the smallest margin is only %g, so another rounding may choose another token", p.Prompt, p.Margin)
		}
		out, err := runners.Answer(context.Background(), run, runners.Request{
			Prompt: ids, Variants: []runners.Variant{compress.Full}, MaxNew: 16, Stop: runners.Stop{Tokens: text.EOS()},
		})
		if err != nil {
			t.Fatal(err)
		}
		got := out[0][0]
		if got.Err != nil || got.Text != p.Text || !slices.Equal(got.Tokens, p.Tokens) {
			t.Errorf("%.40q: %q %v (%v), want %q %v", p.Prompt, got.Text, got.Tokens, got.Err, p.Text, p.Tokens)
		}
	}
}

func TestExtract(t *testing.T) {
	dir := t.TempDir()
	first, err := embedded.Extract(dir)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := fs.ReadDir(embedded.Files(), ".")
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 4 {
		t.Errorf("%d files, want 4", len(entries))
	}
	same := func(name string) bool {
		got, err := os.ReadFile(filepath.Join(first, name))
		want, err2 := fs.ReadFile(embedded.Files(), name)
		return err == nil && err2 == nil && slices.Equal(got, want)
	}
	total := int64(0)
	for _, e := range entries {
		if !same(e.Name()) {
			t.Errorf("%s is not what was embedded", e.Name())
		}
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		total += info.Size()
	}
	if total > 13e6 {
		t.Errorf("%d bytes, at most 13 MB are shipped", total)
	}
	weights := filepath.Join(first, "model.safetensors")
	before, err := os.Stat(weights)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(first, "config.json"), []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	second, err := embedded.Extract(dir)
	if err != nil || second != first {
		t.Fatalf("extracted to %q (%v), want %q again", second, err, first)
	}
	if !same("config.json") {
		t.Error("a damaged file was left as it was")
	}
	after, err := os.Stat(weights)
	if err != nil || !os.SameFile(before, after) {
		t.Errorf("the weights were written again (%v)", err)
	}
	left, err := os.ReadDir(first)
	if err != nil || len(left) != len(entries) {
		t.Errorf("%d files lie there (%v), want %d", len(left), err, len(entries))
	}
	blocked := filepath.Join(dir, "file")
	if err := os.WriteFile(blocked, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := embedded.Extract(blocked); err == nil {
		t.Error("extracting below a file gives no error")
	}
}
