package gate

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// shared finds the folder of reference data, which is not part of the project.
func shared(t *testing.T, parts ...string) string {
	t.Helper()
	root := os.Getenv("SNAPBENCH_SHARED")
	if root == "" {
		dir, err := os.Getwd()
		if err != nil {
			t.Fatal(err)
		}
		for {
			if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
				break
			}
			if dir == filepath.Dir(dir) {
				t.Fatal("no go.mod above this test")
			}
			dir = filepath.Dir(dir)
		}
		root = filepath.Join(dir, "..", "shared")
	}
	path := filepath.Join(append([]string{root}, parts...)...)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no reference data: set SNAPBENCH_SHARED (%v)", err)
	}
	return path
}

// TestGateOnPublishedPredictions compares the per-sample scores that authors published for a full cache and for SnapKV
// with 512 tokens, and checks every verdict by Student's t. With 150 to 500 samples of such scores both must agree except
// in borderline cases.
func TestGateOnPublishedPredictions(t *testing.T) {
	read := func(run string) map[string][]float64 {
		b, err := os.ReadFile(shared(t, "longbench", "predictions", run, "list_result.json"))
		if err != nil {
			t.Fatal(err)
		}
		var m map[string][]float64
		if err := json.Unmarshal(b, &m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	full := read("FFY0__AdaKV_mistral-7B-instruct-v0.2")
	snap := read("FFY0__AdaKV_mistral-7B-instruct-v0.2c512_w32_k7_maxpool_floorNone_adaptiveFalse")
	var tasks []string
	for task := range full {
		tasks = append(tasks, task)
	}
	slices.Sort(tasks)
	base := grid(tasks, []string{"full"}, 0, nil)
	cand := grid(tasks, []string{"512"}, 0, nil)
	for _, task := range tasks {
		for i, s := range full[task] {
			b := grid([]string{task}, []string{"full"}, 1, func(string, string, int) float64 { return s }).Rows[0]
			c := grid([]string{task}, []string{"512"}, 1, func(string, string, int) float64 { return snap[task][i] }).Rows[0]
			b.Sample, c.Sample = itoa(i), itoa(i)
			base.Rows, cand.Rows = append(base.Rows, b), append(cand.Rows, c)
		}
	}
	for _, limit := range []float64{0.5, 1, 3} {
		g, err := Runs(base, cand, points(limit))
		if err != nil {
			t.Fatal(err)
		}
		t.Log("\n" + g.Text(130))
		if path := os.Getenv("SNAPBENCH_GATE_JSON"); path != "" { // for a check by other means
			f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
			if err != nil {
				t.Fatal(err)
			}
			if err := g.WriteJSON(f); err != nil {
				t.Fatal(err)
			}
			f.Close()
		}
		m := float64(len(g.Lines))
		for _, l := range g.Lines {
			if l.Average {
				continue
			}
			d := make([]float64, len(full[l.Task]))
			for i := range d {
				d[i] = 100 * (full[l.Task][i] - snap[l.Task][i])
			}
			z := (mean(d) - limit) / math.Sqrt(variance(d)/float64(len(d)))
			if !(math.Abs(l.Drop-mean(d)) <= 1e-9) {
				t.Errorf("%s: drop %v, want %v", l.Task, l.Drop, mean(d))
			}
			// Significant under every factor of Holm's procedure, or not even under the smallest.
			switch {
			case l.Method == "Gaffke" && l.Verdict == Undecided: // few scores differ: t trusts their spread, the exact bound does not
			case normalCDF(z)*m < nominal/4 && l.Verdict != Pass, normalCDF(-z)*m < nominal/4 && l.Verdict != Fail:
				t.Errorf("%s, limit %v: %s, but z = %.2f", l.Task, limit, l.Verdict, z)
			case normalCDF(-math.Abs(z)) > 2*nominal && l.Verdict != Undecided:
				t.Errorf("%s, limit %v: %s, but z = %.2f", l.Task, limit, l.Verdict, z)
			}
		}
	}
}

func itoa(i int) string { b, _ := json.Marshal(i); return string(b) }

// nominal is the level of each direction at 95 % confidence.
const nominal = 0.025

func variance(x []float64) float64 {
	m, sum := mean(x), 0.0
	for _, v := range x {
		sum += (v - m) * (v - m)
	}
	return sum / float64(len(x)-1)
}

func normalCDF(z float64) float64 { return math.Erfc(-z/math.Sqrt2) / 2 }
