package main

import (
	"fmt"
	"path/filepath"
	"reflect"
	"testing"
)

// jobOfSets are prompts of four sets, with answers of 5 to 64 tokens, under four variants: a stream that samples join and
// leave at different times.
func jobOfSets(more ...string) []string {
	return append([]string{"longbench", "--model", "shape:tiny,vocab=4096", "--dry-text", "--tasks", "qasper,hotpotqa,lcc,samsum", "--limit", "4",
		"--max-length", "350", "--max-new", "64", "--variants", "full;snapkv(cap=64,w=16);tova(cap=48);knorm(cap=25%)", "--quiet"}, more...)
}

// The rows of a job are the same whether its samples are answered all together or each by itself, in a process that has no
// other, and on one device or three.
func TestRowsOfOneSampleAtATime(t *testing.T) {
	work := t.TempDir()
	all := filepath.Join(work, "all")
	pass(t, jobOfSets("--device", "cpu", "--out", all)...)
	want := rowsBesidesTimes(t, all)
	if len(want) != 4*4*4 {
		t.Fatalf("%d rows", len(want))
	}
	three := filepath.Join(work, "three")
	pass(t, jobOfSets("--device", "cpu,cpu,cpu", "--out", three)...)
	alone := filepath.Join(work, "alone")
	for i := range 16 {
		pass(t, jobOfSets("--device", "cpu", "--out", alone, "--shard", fmt.Sprintf("%d/16", i))...)
	}
	for _, dir := range []string{three, alone} {
		got := rowsBesidesTimes(t, dir)
		if reflect.DeepEqual(got, want) {
			continue
		}
		for i := range min(len(got), len(want)) {
			if !reflect.DeepEqual(got[i], want[i]) {
				t.Errorf("%s: %+v\nall together: %+v", filepath.Base(dir), got[i], want[i])
				break
			}
		}
		t.Errorf("%s: %d rows, all together %d", filepath.Base(dir), len(got), len(want))
	}
}

// The same holds for one that is killed ten times and continued, on one device or two.
func TestJobOfSetsKilledAndResumed(t *testing.T) {
	sufferKills(t, killCount(t, 10), jobOfSets(), "cpu", "cpu", "cpu,cpu")
}
