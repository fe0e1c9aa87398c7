package gate

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/results"
)

// What does not go together is refused, and a mistake in the flags before all of that.
func TestAskedCheck(t *testing.T) {
	drop := Flags{MaxDrop: "1"}
	for _, c := range []struct {
		asked Asked
		runs  int
		want  string // "" for none
	}{
		{Asked{Flags: drop}, 2, ""},
		{Asked{Flags: drop, Against: "full"}, 1, ""},
		{Asked{Flags: drop, Plan: true}, 0, ""},
		{Asked{Flags: drop, Plan: true}, 1, ""},
		{Asked{Flags: drop, Plan: true, Flips: "5%"}, 2, ""},
		{Asked{}, 0, "no --max-drop"},
		{Asked{Flags: drop}, 0, "name two runs"},
		{Asked{Flags: drop}, 1, "name two runs"},
		{Asked{Flags: drop, Against: "full"}, 2, "name two runs"},
		{Asked{Flags: drop, Against: "full", Plan: true}, 0, "name two runs"},
		{Asked{Flags: drop, Flips: "5%"}, 2, "--flips is for --plan"},
		{Asked{Flags: drop, Plan: true, Written: true}, 2, "--plan gives no verdict"},
		{Asked{Flags: drop, Plan: true, Against: "full", Flips: "5%"}, 1, "--flips and --against"},
	} {
		_, err := c.asked.Check(Limits{}, c.runs)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v, %d runs: %v, want %q", c.asked, c.runs, err, c.want)
		}
	}
}

// A plan is by what was asked for: flips, a pilot of one run or of two, or published spreads.
func TestAskedSamples(t *testing.T) {
	set := grid([]string{"qasper"}, []string{"full", "512"}, 20, func(_, variant string, i int) float64 {
		if variant == "full" || i%4 > 0 {
			return 1
		}
		return 0
	})
	for _, c := range []struct {
		asked Asked
		sets  []results.Set
		want  string
	}{
		{Asked{Flips: "5%"}, nil, "an assumption"},
		{Asked{Flips: "5%"}, []results.Set{set}, "an assumption"},
		{Asked{}, []results.Set{set, set}, "the pilot"},
		{Asked{Against: "full"}, []results.Set{set}, ", against full"},
		{Asked{}, []results.Set{set}, ", against baseline"},
		{Asked{}, nil, PlanPublished(Limits{}).From},
	} {
		c.asked.MaxDrop = "1"
		limits, err := c.asked.Over(Limits{})
		if err != nil {
			t.Fatal(err)
		}
		plan, err := c.asked.Samples(c.sets, limits)
		if err != nil || !strings.Contains(plan.From, c.want) {
			t.Errorf("%+v of %d sets: %v, %+v; want %q", c.asked, len(c.sets), err, plan, c.want)
		}
	}
}

// A JUnit file is of one verdict; a summary in Markdown keeps what other steps wrote.
func TestVerdictFiles(t *testing.T) {
	set := grid([]string{"qasper"}, []string{"full", "512"}, 20, func(string, string, int) float64 { return 1 })
	verdict, err := Asked{Against: "full"}.Judge([]results.Set{set}, Limits{MaxDrop: &Limit{Value: 1}})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	junit, markdown := filepath.Join(dir, "gate.xml"), filepath.Join(dir, "summary.md")
	for range 2 {
		if err := verdict.SaveJUnit(junit); err != nil {
			t.Fatal(err)
		}
		if err := verdict.AppendMarkdown(markdown); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]int{junit: 1, markdown: 2} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		mark := "<testsuites"
		if path == markdown {
			mark = verdict.Markdown()
		}
		if got := strings.Count(string(text), mark); got != want {
			t.Errorf("%s holds %q %d times, want %d", path, mark, got, want)
		}
	}
	if err := verdict.SaveJUnit(filepath.Join(dir, "none", "gate.xml")); err == nil {
		t.Error("a file in a folder that is not there was written")
	}
}
