package slurm

import (
	"maps"
	"os"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners/cluster"
)

// Slurm 22.05 printed testdata/squeue.txt.
func TestParseStates(t *testing.T) {
	recorded, err := os.ReadFile("testdata/squeue.txt")
	if err != nil {
		t.Fatal(err)
	}
	got, err := parseStates(string(recorded))
	if err != nil {
		t.Fatal(err)
	}
	want := map[int]cluster.State{0: cluster.Ended, 1: cluster.Failed, 2: cluster.Failed, 3: cluster.Running, 4: cluster.Waiting, 5: cluster.Waiting, 6: cluster.Running}
	if !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	for text, want := range map[string]string{
		"N/A RUNNING":               `"N/A" is no number`,
		"-1 RUNNING":                `"-1" is no number`,
		"1 DREAMING":                `"1 DREAMING": an unknown state`,
		"1 RUNNING n1":              "want the number",
		"1":                         "want the number",
		"1 RUNNING\n1 COMPLETED":    "element 1 is listed twice",
		"slurm_load_jobs error: ok": "want the number",
	} {
		if got, err := parseStates(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %v; want an error with %q", text, got, err, want)
		}
	}
}

func FuzzParseStates(f *testing.F) {
	f.Add("0 COMPLETED\n1 RUNNING\n")
	f.Add(" 3\tPENDING\r\n\n")
	f.Add("N/A CANCELLED")
	f.Fuzz(func(t *testing.T, text string) {
		all, err := parseStates(text)
		if err != nil {
			return
		}
		lines := 0
		for line := range strings.Lines(text) {
			if strings.TrimSpace(line) != "" {
				lines++
			}
		}
		if len(all) != lines {
			t.Errorf("%d states of %d lines: %v", len(all), lines, all)
		}
		for part, state := range all {
			if part < 0 || state < cluster.Waiting || state > cluster.Failed {
				t.Errorf("part %d is %d", part, state)
			}
		}
	})
}
