package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/runners/models/embedded"
)

// damagedModel is a copy of the embedded model with one NaN in a weight of a layer.
func damagedModel(t *testing.T, layer string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "damaged")
	if err := os.CopyFS(dir, embedded.Files()); err != nil {
		t.Fatal(err)
	}
	rewriteSafetensors(t, filepath.Join(dir, "model.safetensors"), func(header map[string]map[string]any, data []byte) []byte {
		offsets := header["model.layers."+layer+".mlp.down_proj.weight"]["data_offsets"].([]any)
		at := int(offsets[0].(float64)) + 2*1000 // bfloat16
		data[at], data[at+1] = 0xc0, 0x7f
		return data
	})
	return dir
}

// With one NaN among six million weights every row is an error that says so. All samples
// are run, and neither the run nor a gate over it succeeds.
func TestDamagedModel(t *testing.T) {
	model := damagedModel(t, "2")
	for name, more := range map[string][]string{"plain": nil, "fidelity": {"--fidelity"}} {
		t.Run(name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "run")
			args := append([]string{"needle", "--model", model, "--device", "cpu", "--lengths", "512", "--depths", "3", "--trials", "1", "--budgets", "full,64", "--kernels", "5",
				"--out", out, "--quiet"}, more...)
			status, stdout, stderr := snapbench(args...)
			if status != exitCannotRun || !strings.Contains(stderr, "none of 6 rows could be scored") || !strings.Contains(stderr, "not finite: layer 2 gives") ||
				!strings.Contains(stderr, "damaged, niah, sample length=512,depth=") {
				t.Errorf("status %d, %q", status, stderr)
			}
			// Three tables, by task, variant and number of rows, a line for each variant.
			if n := strings.Count(stdout, "layer 2 gives"); !strings.Contains(stdout, "Rows without a score") || n != 3*2 {
				t.Errorf("the tables tell the reason %d times, want 6:\n%s", n, stdout)
			}
			set, err := results.Read(out)
			if err != nil {
				t.Fatal(err)
			}
			if len(set.Rows) != 6 {
				t.Errorf("%d rows, want 3 samples under 2 variants", len(set.Rows))
			}
			for _, r := range set.Rows {
				if r.Score != nil || r.Prediction != "" || !strings.Contains(r.Error, "layer 2 gives the first hidden state that is not") {
					t.Errorf("%s, %s: score %v, prediction %q, error %q", r.Sample, r.Variant, r.Score, r.Prediction, r.Error)
				}
			}
			status, _, stderr = snapbench("gate", out, "--against", "full", "--max-drop", "1")
			if status != exitCannotRun || !strings.Contains(stderr, "all 3 samples failed in the baseline") {
				t.Errorf("gate: status %d, %q", status, stderr)
			}
		})
	}
}

// A model whose answers are all wrong passes no gate: no drop could show.
func TestGateOverNothing(t *testing.T) {
	out := filepath.Join(t.TempDir(), "run")
	pass(t, "needle", "--model", tinyModel(t), "--device", "cpu", "--lengths", "1k", "--depths", "10", "--trials", "4", "--budgets", "full,64", "--kernels", "5",
		"--max-new", "2", "--out", out, "--quiet")
	status, stdout, stderr := snapbench("gate", out, "--against", "full", "--max-drop", "30")
	if status != exitUndecided || !strings.Contains(stdout, "score 0 on every sample") || !strings.Contains(stdout, "UNDECIDED") {
		t.Errorf("status %d\n%s%s", status, stdout, stderr)
	}
}
