package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners/cluster"
)

// Every engine prints what it would submit: all of the command, the folder, and parts that
// know which they are. The page on clusters says how each is used.
func TestEngines(t *testing.T) {
	if len(cluster.Names()) < 3 {
		t.Fatalf("engines: %v", cluster.Names())
	}
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "clusters.md"))
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("RAY_ADDRESS", "http://127.0.0.1:1") // printing asks nobody
	for _, name := range cluster.Names() {
		out := filepath.Join(t.TempDir(), "run")
		args := []string{"needle", "--lengths", "512,1k", "--policies", "snapkv(w=16,k=5),tova", "--budgets", "full,64", "--device", "cpu",
			"--on", name, "--shards", "3", "--out", out, "--print"}
		if name == "kubernetes" {
			args = append(args, "--image", "registry.example/snapbench:1", "--claim", "runs="+filepath.Dir(out))
		}
		status, text, stderr := snapbench(args...)
		if status != exitPass {
			t.Errorf("%s: status %d, %s", name, status, stderr)
			continue
		}
		for _, want := range []string{"needle", "--lengths=512,1k", "snapkv(w=16,k=5),tova", "--budgets=full,64", "--device=cpu", out, "shard"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: no %q in\n%s", name, want, text)
			}
		}
		if strings.Contains(text, "--print") || strings.Contains(text, "--shards") {
			t.Errorf("%s: parts are told what is not theirs:\n%s", name, text)
		}
		if _, err := os.Stat(out); err == nil {
			t.Errorf("%s: --print made the folder", name)
		}
		if !strings.Contains(strings.ToLower(string(page)), "["+name+"](") {
			t.Errorf("docs/clusters.md does not lead to %s", name)
		}
	}
}
