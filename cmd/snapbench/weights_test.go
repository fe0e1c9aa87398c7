package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A run continues only with the weights that it began with; the name of their folder does
// not matter.
func TestResumedWithOtherWeights(t *testing.T) {
	work := t.TempDir()
	model, prompts, out := filepath.Join(work, "tiny[1]"), filepath.Join(work, "prompts.jsonl"), filepath.Join(work, "out")
	if err := writeTinyModel(model); err != nil {
		t.Fatal(err)
	}
	if err := writePrompts(prompts, 1); err != nil {
		t.Fatal(err)
	}
	again := func() (int, string) {
		var stdout, stderr bytes.Buffer
		code := run([]string{"prompts", prompts, "--model", model, "--device", "cpu", "--budgets", "full", "--max-new", "2", "--out", out, "--quiet"}, &stdout, &stderr)
		return code, stderr.String()
	}
	if code, said := again(); code != exitPass {
		t.Fatalf("status %d, %s", code, said)
	}
	flipBit(t, filepath.Join(model, "model.safetensors"))
	if code, said := again(); code != exitCannotRun || !strings.Contains(said, "revision: had ") {
		t.Errorf("status %d, %q, with other weights in the same folder", code, said)
	}
}

// No run begins with weights in the hub's cache that differ from those of the commit that
// its rows would name.
func TestCachedModelIsItsCommit(t *testing.T) {
	const commit = "0123456789abcdef0123456789abcdef01234567"
	work := t.TempDir()
	root := filepath.Join(work, "hub", "models--org--tiny")
	dir := filepath.Join(root, "snapshots", commit)
	if err := writeTinyModel(dir); err != nil {
		t.Fatal(err)
	}
	list := map[string]any{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		entry := map[string]any{"size": len(data), "blob_id": commit}
		if e.Name() == "model.safetensors" {
			sum := sha256.Sum256(data)
			entry["lfs_sha256"], entry["lfs_size"] = hex.EncodeToString(sum[:]), len(data)
		}
		list[e.Name()] = entry
	}
	tree, err := json.Marshal(map[string]any{"format_version": 1, "files": list})
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"trees/" + commit + ".json": tree, "refs/main": []byte(commit)} {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	prompts := filepath.Join(work, "prompts.jsonl")
	if err := writePrompts(prompts, 1); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HF_HUB_CACHE", filepath.Join(work, "hub"))
	t.Setenv("HF_HOME", work)
	t.Setenv("HF_HUB_OFFLINE", "1")
	try := func() (int, string) {
		var stdout, stderr bytes.Buffer
		code := run([]string{"prompts", prompts, "--model", "org/tiny", "--device", "cpu", "--budgets", "full", "--max-new", "2", "--out", t.TempDir(), "--quiet"}, &stdout, &stderr)
		return code, stderr.String()
	}
	if code, said := try(); code != exitPass {
		t.Fatalf("status %d, %s", code, said)
	}
	flipBit(t, filepath.Join(dir, "model.safetensors"))
	if code, said := try(); code != exitCannotRun || !strings.Contains(said, "is not what commit "+commit+" of org/tiny holds") {
		t.Errorf("status %d, %q, with other weights in the cache", code, said)
	}
}

// flipBit damages the middle of a file.
func flipBit(t *testing.T, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}
