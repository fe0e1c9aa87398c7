package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// A run in parts by hand: the parts that end first say what is left, the last joins and
// shows; more parts than samples do no harm; without --shard the folder goes on.
func TestParts(t *testing.T) {
	work := t.TempDir()
	ask := func(out string, more ...string) []string {
		return append([]string{"needle", "--lengths", "512", "--depths", "0,100", "--trials", "1", "--budgets", "full,64", "--kernels", "7", "--out", out}, more...)
	}
	one, three := filepath.Join(work, "one"), filepath.Join(work, "three")
	pass(t, ask(one)...)
	want := rowsBesidesTimes(t, one)
	for i, shard := range []string{"2/3", "0/3", "1/3"} {
		status, stdout, stderr := snapbench(ask(three, "--shard", shard)...)
		if last := i == 2; status != exitPass || last != strings.Contains(stdout, "Score") || last == strings.Contains(stderr, "the last joins them") {
			t.Errorf("part %s: status %d\n%s%s", shard, status, stdout, stderr)
		}
		if i == 0 {
			if status, _, stderr := snapbench("results", "join", three); status != exitCannotRun || !strings.Contains(stderr, "0 of 4 rows") || !strings.Contains(stderr, "1/3: never begun") {
				t.Errorf("joined too early: status %d\n%s", status, stderr)
			}
		}
	}
	if got := rowsBesidesTimes(t, three); !reflect.DeepEqual(got, want) {
		t.Errorf("%d rows joined, %d by one process, or others", len(got), len(want))
	}
	if text := pass(t, "results", "join", three, "--json"); !strings.Contains(text, `"run"`) {
		t.Errorf("join --json prints %.80q", text)
	}

	whole := filepath.Join(work, "whole")
	pass(t, ask(whole, "--shard", "1/3")...)
	if text := pass(t, "results", "join", whole, "--allow-missing"); strings.Count(text, "of 4 rows are missing") < 2 {
		t.Errorf("tables do not say what is missing:\n%s", text)
	}
	pass(t, ask(whole)...)
	if got := rowsBesidesTimes(t, whole); !reflect.DeepEqual(got, want) {
		t.Errorf("%d rows by going on without --shard, %d by one process, or others", len(got), len(want))
	}
}

// Wrong words about parts end with a status for usage and say what is right.
func TestPartsMistakes(t *testing.T) {
	for _, name := range []string{"SNAPBENCH_SHARD", "SLURM_ARRAY_TASK_ID", "SLURM_PROCID", "JOB_COMPLETION_INDEX", "AWS_BATCH_JOB_ARRAY_INDEX", "SKYPILOT_NODE_RANK", "RANK"} {
		if value, ok := os.LookupEnv(name); ok {
			os.Unsetenv(name)
			defer os.Setenv(name, value)
		}
	}
	for want, args := range map[string][]string{
		"counted from 0":              {"--shard", "4/4"},
		"I/N":                         {"--shard", "first"},
		"does not say which part":     {"--shard", "auto"},
		"unknown engine \"cloud\"":    {"--on", "cloud"}, // before the number of parts is asked for
		"--shards 0":                  {"--on", "slurm"},
		"--shard is one part":         {"--on", "slurm", "--shards", "3", "--shard", "0/3"},
		"--image is for runs on many": {"--image", "x"},
		"object stores cannot do":     {"--on", "slurm", "--shards", "2", "--out", "s3://bucket/run"},
		"for our own engine":          {"--shard", "0/2", "--server", "http://127.0.0.1:1/v1"},
	} {
		if status, _, stderr := snapbench(append([]string{"needle"}, args...)...); status != exitUsage || !strings.Contains(stderr, want) {
			t.Errorf("%v: status %d, %q; want %q", args, status, stderr, want)
		}
	}
	t.Setenv("SNAPBENCH_FOLDER", "0123")
	if status, _, stderr := snapbench("needle", "--lengths", "512", "--out", t.TempDir(), "--shard", "0/2"); status != exitCannotRun || !strings.Contains(stderr, "does not see the run's folder") {
		t.Errorf("another folder: status %d, %q", status, stderr)
	}
}
