package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/results"
)

// A run in several formats has a row for each, which says its format and its true bytes; by bytes
// none takes more than was asked; a run that goes on asks nothing twice; a gate reads it.
func TestCachesOfRows(t *testing.T) {
	model, dir := tinyModel(t), t.TempDir()
	out := filepath.Join(dir, "out")
	ask := []string{"needle", "--model", model, "--device", "cpu", "--lengths", "400", "--depths", "1", "--trials", "2", "--max-new", "4", "--quiet", "--out", out,
		"--policies", "full,snapkv(w=8,k=3),tova", "--bytes", "25%,50%", "--cache", "f16,fp8,q4_0_rot,kivi2", "--fidelity"}
	pass(t, ask...)
	set, err := results.Read(out)
	if err != nil {
		t.Fatal(err)
	}
	if want := 2 * (1 + 4 + 2*2*4); len(set.Rows) != want {
		t.Fatalf("%d rows, want %d", len(set.Rows), want)
	}
	for _, r := range set.Rows {
		if r.Error != "" {
			t.Errorf("%s: %s", r.Variant, r.Error)
			continue
		}
		method, cache, formatted := strings.Cut(r.Policy, "+")
		if cache != r.Cache || formatted != (r.Variant != "full") || !strings.HasSuffix(r.Variant, strings.TrimPrefix(r.Policy, method)) {
			t.Errorf("%s: policy %s, cache %q", r.Variant, r.Policy, r.Cache)
		}
		if *r.CachePeakBytes < *r.CacheBytes || !(*r.TokenBytes > 0) || *r.KLMean < 0 {
			t.Errorf("%s: %d bytes, at most %d, %v a token, divergence %v", r.Variant, *r.CacheBytes, *r.CachePeakBytes, *r.TokenBytes, *r.KLMean)
		}
		for _, share := range []float64{0.25, 0.5} {
			if r.Budget == map[float64]string{0.25: "bytes:25%", 0.5: "bytes:50%"}[share] && (*r.TimesFull() > share || r.Capacity == nil || *r.Capacity < int(share*400) && (r.Cache == "f16" || r.Cache == "fp8_s1")) {
				t.Errorf("%s: %v × full, capacity %v", r.Variant, *r.TimesFull(), *r.Capacity)
			}
		}
	}
	before := set.Run.Name
	pass(t, ask...)
	again, err := results.Read(out)
	if err != nil || again.Run.Name != before || len(again.Rows) != len(set.Rows) {
		t.Errorf("continued: %d rows, %v", len(again.Rows), err)
	}
	if _, shown, _ := snapbench("results", "show", out); !strings.Contains(shown, "at 25% of the bytes, snapkv loses ") || !strings.Contains(shown, "with every token, the cache loses ") {
		t.Errorf("the summary does not say what is lost at equal bytes:\n%s", shown)
	}
	if status, said, stderr := snapbench("gate", out, "--against", "full", "--max-drop", "100"); status == exitPass || !strings.Contains(said, "snapkv+kivi2") { // two samples decide nothing
		t.Errorf("the gate ends with status %d: %s", status, stderr)
	}
}

// What cannot be asked is refused before anything is read, by the flag's name.
func TestCachesRefused(t *testing.T) {
	model := tinyModel(t)
	for want, flags := range map[string][]string{
		"--cache":                          {"--cache", "q9_0"},
		"--bytes and --budge":              {"--bytes", "25%", "--budgets", "full,64"},
		"--variants and --ca":              {"--variants", "full", "--cache", "q4_0"},
		`unknown cache format "tq_k8v4_9"`: {"--variants", "full+tq_k8v4_9"},
	} {
		status, _, stderr := snapbench(append([]string{"needle", "--model", model, "--device", "cpu", "--out", t.TempDir()}, flags...)...)
		if status == exitPass || !strings.Contains(stderr, want) {
			t.Errorf("%q: status %d: %s", flags, status, stderr)
		}
	}
	for _, flag := range []string{"cache", "bytes"} {
		status, _, stderr := snapbench("needle", "--server", "http://localhost:1/v1", "--"+flag, "25%", "--out", t.TempDir())
		if status == exitPass || !strings.Contains(stderr, "--"+flag) {
			t.Errorf("--%s beside a server: status %d: %s", flag, status, stderr)
		}
	}
}
