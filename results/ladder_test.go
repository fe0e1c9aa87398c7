package results

import (
	"fmt"
	"strings"
	"testing"
)

// ladderSet is two tasks under two variants at three lengths; score is by task, variant and length.
func ladderSet(score func(task, variant string, length int) *float64) Set {
	set := Set{Run: Run{Variants: []string{"full", "64"}, Ladders: []Ladder{{"ruler", []string{"a", "b", "c"}, 85.6}, {"none", []string{"x"}, 50}}}}
	for _, task := range []string{"a", "b", "other"} {
		for _, v := range set.Run.Variants {
			for _, length := range []int{8192, 1024, 4096} {
				for i := range 4 {
					r := Row{Task: task, Variant: v, Policy: "snapkv", Sample: fmt.Sprintf("%d-%d", length, i), Length: &length, Score: score(task, v, length)}
					if v == "full" {
						r.Policy = v
					}
					if r.ID = fmt.Sprint(task, v, length, i); r.Score == nil {
						r.Error = "failed"
					}
					set.Rows = append(set.Rows, r)
				}
			}
		}
	}
	return set
}

func TestLengthTable(t *testing.T) {
	number := func(v float64) *float64 { return &v }
	set := ladderSet(func(task, v string, length int) *float64 {
		switch {
		case task == "other":
			return number(0)
		case v == "64" && length == 1024:
			return nil
		case v == "64":
			return number(0.5)
		case length == 8192:
			return number(map[string]float64{"a": 0.712, "b": 1}[task]) // 85.6 on average
		}
		return number(0.8)
	})
	tables := LengthTables(set)
	if len(tables) != 1 || tables[0].Of != 3 || fmt.Sprint(tables[0].Ladder.Tasks, tables[0].Lengths) != "[a b] [1024 4096 8192]" {
		t.Fatalf("%+v", tables)
	}
	full, small := tables[0].Lines[0], tables[0].Lines[1]
	if full.Effective != 8192 || small.Effective != 0 {
		t.Errorf("effective lengths %d and %d", full.Effective, small.Effective)
	}
	if c := full.Cells[0][2]; c.Mean != 0.712 || c.N != 4 {
		t.Errorf("task a at 8192: %+v", c)
	}
	if c := small.Average[0]; c.N != 0 || c.Mean == c.Mean || c.Failed != 8 {
		t.Errorf("an average of no scores: %+v", c)
	}

	text := Markdown(set)
	for _, want := range []string{
		"### Score by length, ruler\n\n| variant | 1K | 4K | 8K | effective length |\n",
		"| full | 80.00", "| 85.60 [", "| 8K or more |", "| n/a (8 failed) | 50.00", "| below 4K |",
		"2 of its 3 tasks", "average of 85.6 or more", "### Score by length, ruler, full\n\n| task | 1K | 4K | 8K |\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("summary.md lacks %q:\n%s", want, text)
		}
	}
	s := Summarize(set).Subjects[0].Ladders
	if len(s) != 1 || s[0].Tasks != 2 || s[0].Of != 3 || len(s[0].Lengths) != 2*3*3 || *s[0].Effective[0].Length != 8192 || s[0].Effective[1].Length != nil {
		t.Errorf("summary.json has %+v", s)
	}
	for _, l := range s[0].Lengths {
		if (l.Mean == nil) != (l.Variant == "64" && l.Length == 1024) || l.Average != (l.Task == "") {
			t.Errorf("%+v", l)
		}
	}
}

// What failed is not said to be below any length, nor is what was reached said to be all.
func TestEffectiveLengthOfFailures(t *testing.T) {
	set := ladderSet(func(task, v string, length int) *float64 {
		if v == "64" || length == 8192 {
			return nil
		}
		return new(0.9)
	})
	table := LengthTables(set)[0]
	if full, small := table.effective(0), table.effective(1); full != "4K or more" || small != "n/a" {
		t.Errorf("%q and %q", full, small)
	}
}

// A run without such tasks has no such table, and merged runs keep theirs.
func TestLengthTableAbsent(t *testing.T) {
	one := ladderSet(func(string, string, int) *float64 { v := 1.0; return &v })
	two := Set{Run: Run{Ladders: one.Run.Ladders[:1]}}
	merged, err := Merge(two, one)
	if err != nil || len(merged.Run.Ladders) != 2 || len(LengthTables(merged)) != 1 {
		t.Errorf("%+v, %v", merged.Run.Ladders, err)
	}
	one.Run.Ladders = nil
	if tables := LengthTables(one); tables != nil || strings.Contains(Markdown(one), "by length") {
		t.Errorf("%+v", tables)
	}
}
