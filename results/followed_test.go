package results

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// instructed is a row of a task of instructions.
func instructed(task, sample, variant string, followed map[string]string) Row {
	r := Row{Schema: Schema, Model: "m", Task: task, Sample: sample, Variant: variant, Policy: variant, Budget: variant, Device: "cpu",
		DType: "float32", Metric: "instructions", MetricVersion: 1, Score: new(0.5), Followed: followed}
	r.ID = r.Key(fmt.Sprint(followed))
	return r
}

func TestFollowed(t *testing.T) {
	const s, l, n = FollowedStrictly, FollowedLoosely, NotFollowed
	failed := instructed("after", "4", "full", nil)
	failed.Score, failed.Error = nil, "too long"
	rows := []Row{
		instructed("after", "1", "full", map[string]string{"title": s, "no_comma": s}),
		instructed("after", "2", "full", map[string]string{"no_comma": l}),
		instructed("after", "3", "full", map[string]string{"no_comma": s, NumberedInstruction("no_comma", 1): n}),
		failed,
		instructed("after", "1", "64", map[string]string{"title": n, "no_comma": s}),
		instructed("before", "1", "64", map[string]string{"title": l, "no_comma": s}),
	}
	run := Run{Name: "r", Tasks: []string{"before", "after"}, Variants: []string{"full", "64"}}
	line := func(task, instruction, variant string, given, strict, loose int) FollowedLine {
		return FollowedLine{Task: task, Instruction: instruction, Variant: variant, Given: given, Strict: strict, Loose: loose}
	}
	want := []FollowedLine{
		line("before", "no_comma", "64", 1, 1, 1), line("before", "title", "64", 1, 0, 1),
		line("before", "instruction level", "64", 2, 1, 2), line("before", "prompt level", "64", 1, 0, 1),
		line("after", "no_comma", "full", 4, 2, 3), line("after", "no_comma", "64", 1, 1, 1),
		line("after", "title", "full", 1, 1, 1), line("after", "title", "64", 1, 0, 0),
		line("after", "instruction level", "full", 5, 3, 4), line("after", "instruction level", "64", 2, 1, 1),
		line("after", "prompt level", "full", 3, 1, 2), line("after", "prompt level", "64", 1, 0, 0),
	}
	if got := FollowedBy(run, rows); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v\nwant %+v", got, want)
	}
	g, ok := FollowedGrid(run, rows)
	if !ok || !reflect.DeepEqual(g.Head, []string{"task", "instruction", "given", "full", "64"}) || len(g.Rows) != 8 {
		t.Fatalf("%+v, %t", g, ok)
	}
	for i, row := range map[int][]string{
		1: {"before", "title", "1", "n/a", "0 / 100"}, 4: {"after", "no_comma", "4", "50 / 75", "100 / 100 (of 1)"},
		7: {"after", "prompt level", "3", "33 / 67", "0 / 0 (of 1)"},
	} {
		if !reflect.DeepEqual(g.Rows[i], row) {
			t.Errorf("line %d is %q, want %q", i, g.Rows[i], row)
		}
	}
	if _, ok := FollowedGrid(run, someRows(1)[:0]); ok {
		t.Error("a grid of nothing")
	}
	rows[2].MarksKept = map[string]string{"instruction": "0.75", "instruction no_comma": "1", "instruction no_comma #2": "0.5"}
	if g, _ := FollowedGrid(run, rows); g.Rows[4][3] != "50 / 75, 75 kept" || g.Rows[7][3] != "33 / 67, 75 kept" || !strings.Contains(g.Notes[0], "kept: percent") {
		t.Errorf("with what caches keep: %q, %q", g.Rows, g.Notes)
	}
	rows[2].MarksKept = nil
	report := Markdown(Set{Run: run, Rows: rows})
	if !strings.Contains(report, "### Instructions followed") || !strings.Contains(report, "| after | no_comma | 4 | 50 / 75 |") {
		t.Errorf("the report is\n%s", report)
	}
	if sub := Summarize(Set{Run: run, Rows: rows}).Subjects; len(sub) != 1 || len(sub[0].Followed) != len(want) {
		t.Errorf("%+v", sub)
	}
	bad := instructed("after", "1", "full", map[string]string{"title": "perhaps"})
	if err := bad.check(); err == nil || !strings.Contains(err.Error(), `followed has "title" as "perhaps": have strict, loose, no`) {
		t.Errorf("%v", err)
	}
}

func TestLeaked(t *testing.T) {
	row := func(sample string, instructions, defence, both float64) Row {
		r := instructed("leakage-defence-first", sample, "full", nil)
		r.Metric, r.LeakedInstructions, r.LeakedDefence, r.LeakedBoth = "withheld", &instructions, &defence, &both
		return r
	}
	rows := []Row{row("1", 0.3, 0, 0.25), row("2", 0.5, 1, 0.75), row("3", 0, 0, 0), row("4", 1, 1, 1), instructed("after", "1", "full", nil)}
	run := Run{Name: "r", Variants: []string{"full"}}
	want := []LeakedLine{{"leakage-defence-first", "full", 4, 0.45, 0.5, 0.5, 0.5}}
	if got := LeakedBy(run, rows); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	g, ok := LeakedGrid(run, rows)
	if !ok || !reflect.DeepEqual(g.Rows, [][]string{{"leakage-defence-first", "full", "4", "45.0", "50.0", "50.0", "50.0"}}) {
		t.Errorf("%+v, %t", g, ok)
	}
	if report := Markdown(Set{Run: run, Rows: rows}); !strings.Contains(report, "### Leakage") {
		t.Errorf("the report is\n%s", report)
	}
}
