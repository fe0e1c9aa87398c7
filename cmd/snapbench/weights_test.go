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
	"time"
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
	out := filepath.Join(work, "out")
	try := func(more ...string) (int, string) {
		var stdout, stderr bytes.Buffer
		code := run(append([]string{"prompts", prompts, "--model", "org/tiny", "--device", "cpu", "--budgets", "full", "--max-new", "2", "--out", out, "--quiet"}, more...), &stdout, &stderr)
		return code, stderr.String()
	}
	if code, said := try(); code != exitPass {
		t.Fatalf("status %d, %s", code, said)
	}
	rows, err := os.ReadFile(filepath.Join(out, "results.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	// Copied elsewhere it is the same model: the run is continued, and has nothing to do.
	stage := filepath.Join(work, "stage")
	if code, said := try("--stage", stage); code != exitPass {
		t.Fatalf("status %d, %s", code, said)
	}
	if again, err := os.ReadFile(filepath.Join(out, "results.parquet")); err != nil || !bytes.Equal(again, rows) {
		t.Errorf("other rows with --stage: %v", err)
	}
	staged, err := filepath.Glob(filepath.Join(stage, "org--tiny-*", "model.safetensors"))
	if err != nil || len(staged) != 1 {
		t.Fatalf("staged: %q, %v", staged, err)
	}
	info, err := os.Stat(staged[0])
	if err != nil {
		t.Fatal(err)
	}
	flipBit(t, staged[0])
	if err := os.Chtimes(staged[0], time.Time{}, info.ModTime()); err != nil {
		t.Fatal(err)
	}
	if code, said := try("--stage", stage); code != exitCannotRun || !strings.Contains(said, staged[0]+" is not what commit "+commit+" of org/tiny holds") {
		t.Errorf("status %d, %q, with other weights in the copy", code, said)
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
