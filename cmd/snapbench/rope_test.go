package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/results"
)

// TestRope: a scaling that is set for a run answers as the same scaling in config.json does, is
// part of the rows' identity, and is said wherever the model is.
func TestRope(t *testing.T) {
	work := t.TempDir()
	prompts, plain, scaled := filepath.Join(work, "prompts.jsonl"), filepath.Join(work, "plain"), filepath.Join(work, "scaled")
	if err := writePrompts(prompts, 2); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{plain, scaled} {
		if err := writeTinyModel(dir); err != nil {
			t.Fatal(err)
		}
	}
	config, err := os.ReadFile(filepath.Join(scaled, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	own := bytes.Replace(config, []byte(`"rope_theta"`), []byte(`"rope_scaling": {"type": "yarn", "factor": 16, "original_max_position_embeddings": 64}, "rope_theta"`), 1)
	write(t, filepath.Join(scaled, "config.json"), string(own))

	ask := func(model, out string, more ...string) ([]string, []results.Row) {
		t.Helper()
		args := append([]string{"prompts", prompts, "--model", model, "--device", "cpu", "--metric", "recalled", "--variants", "full;snapkv(cap=24,w=8)", "--max-new", "12", "--quiet",
			"--out", filepath.Join(work, out)}, more...)
		table := pass(t, args...)
		set, err := results.Read(filepath.Join(work, out))
		if err != nil {
			t.Fatal(err)
		}
		var texts []string
		for _, r := range set.Rows {
			texts = append(texts, r.Prediction)
			if said := strings.Contains(table, "rope "+r.Rope); said != (r.Rope != "") {
				t.Errorf("%s: the table says so: %v\n%s", r.Rope, said, table)
			}
		}
		return texts, set.Rows
	}
	const text = "yarn:16,original=64"
	without, rows := ask(plain, "without")
	want, _ := ask(scaled, "want")
	got, set := ask(plain, "set", "--rope", text)
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("answers are %q, with the scaling in config.json %q", got, want)
	}
	if strings.Join(got, "\n") == strings.Join(without, "\n") {
		t.Error("the scaling changes no answer: the test shows nothing")
	}
	for i := range set {
		if set[i].Rope != text || rows[i].Rope != "" || set[i].ID == rows[i].ID {
			t.Errorf("row %d: rope %q and %q, ids %s and %s", i, rows[i].Rope, set[i].Rope, rows[i].ID, set[i].ID)
		}
	}
	data, err := os.ReadFile(filepath.Join(work, "set", "run.json"))
	if err != nil || !strings.Contains(string(data), `"rope": "`+text+`"`) && !strings.Contains(string(data), `"rope":"`+text+`"`) {
		t.Errorf("run.json: %s (%v)", data, err)
	}
	if status, _, said := snapbench("prompts", prompts, "--model", plain, "--device", "cpu", "--metric", "recalled", "--variants", "full;snapkv(cap=24,w=8)", "--max-new", "12", "--quiet",
		"--out", filepath.Join(work, "set"), "--rope", "yarn:8,original=64"); status != exitCannotRun || !strings.Contains(said, "rope: had ") {
		t.Errorf("another scaling in the same folder: status %d, %s", status, said)
	}
	sides := []string{"gate", filepath.Join(work, "without"), filepath.Join(work, "set"), "--max-drop", "100"}
	if status, out, said := snapbench(sides...); status == exitPass || !strings.Contains(out+said, "--across rope") {
		t.Errorf("the gate holds them against each other: status %d\n%s%s", status, out, said)
	}
	if status, out, _ := snapbench(append(sides, "--across", "rope")...); !strings.Contains(out, "ACROSS rope") {
		t.Errorf("the gate with leave: status %d\n%s", status, out)
	}
	side := pass(t, "compare", filepath.Join(work, "without"), filepath.Join(work, "set"))
	if !strings.Contains(strings.Join(strings.Fields(side), " "), "rotation is rope "+text) {
		t.Errorf("compare does not say it:\n%s", side)
	}

	// The context follows: 65536 positions, which are the original ones of yarn:2 alone.
	for rope, want := range map[string]string{"": "context            65536 tokens", "yarn:2": "context            131072 tokens", "linear:4": "context            262144 tokens", "none": "context            65536 tokens"} {
		show := []string{"models", "show", plain}
		if rope != "" {
			show = append(show, "--rope="+rope)
		}
		out := pass(t, show...)
		kind, _, _ := strings.Cut(rope, ":")
		if kind == "" || kind == "none" {
			kind = "default"
		}
		if !strings.Contains(out, want) || !strings.Contains(out, "scaling "+kind) {
			t.Errorf("rope %q: %s", rope, out)
		}
	}
	if out := pass(t, "speed", "--model", plain, "--device", "cpu", "--rope", "linear:4", "--lengths", "100k", "--layers", "1", "--attending", "64", "--max-new", "1", "--warmup", "0", "--variants", "recent(cap=64)", "--quiet"); !strings.Contains(out, "rope linear:4") || !strings.Contains(out, "context of 262144 tokens") {
		t.Errorf("speed: %s", out)
	}
}
