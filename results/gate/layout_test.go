package gate

import (
	"fmt"
	"strings"
	"testing"

	"github.com/charmbracelet/lipgloss"

	"github.com/snapbench/snapbench/results"
)

// One table, no line of it wider than asked, and whatever has no place is named.
func TestTextFits(t *testing.T) {
	set := answering(drops(40, 0.2, "a", "narrativeqa"))
	for i := range set.Rows {
		r := &set.Rows[i]
		r.CacheBytes, r.FullCacheBytes, r.KeptMean = new(int64(10)), new(int64(40)), new(10.0)
		if r.Sample == "3" && r.Variant == "64" {
			r.Audit = "kept 65, the budget says 64"
		}
	}
	for _, about := range []About{AboutSet, AboutPopulation} {
		limits := onSet(1)
		limits.About = about
		g, err := Variants(set, "full", limits)
		if err != nil {
			t.Fatal(err)
		}
		for _, width := range []int{0, 200, 120, 100, 80, 60} {
			text := g.Text(width)
			if strings.Count(text, "verdict  ") != 1 {
				t.Errorf("%v, width %d: not one table\n%s", about, width, text)
			}
			for line := range strings.SplitSeq(text, "\n") {
				if w := lipgloss.Width(line); width > 0 && w > width {
					t.Errorf("%v, width %d: %d characters: %s", about, width, w, line)
				}
			}
			for _, want := range []string{"narrativeqa", "20.00", "fail", "budget audit, 64: FAIL: 2 rows kept other than they should"} {
				if !strings.Contains(strings.Join(strings.Fields(text), " "), want) {
					t.Errorf("%v, width %d: no %q\n%s", about, width, want, text)
				}
			}
			for _, head := range []string{"samples", "baseline", "candidate", "limit", results.CacheColumn} {
				if !strings.Contains(strings.Join(strings.Fields(text), " "), head) {
					t.Errorf("%v, width %d: nothing says where %s is\n%s", about, width, head, text)
				}
			}
		}
	}
}

// A name that alone is too wide loses its middle.
func TestLongNames(t *testing.T) {
	columns := []column{{head: "variant", cells: []string{"a-policy-of-a-very-long-name, k 1", "a-policy-of-a-very-long-name, k 2"}}, {head: "drop", cells: []string{"1", "2"}, spare: -1}}
	g := fit(columns, []bool{false, false}, 24)
	if g.Rows[0][0] == g.Rows[1][0] || lipgloss.Width(g.Rows[0][0]) > 16 || !strings.Contains(g.Rows[0][0], "…") {
		t.Errorf("%q", g.Rows)
	}
}

// Checks that passed are one line, however many; every other one is a line of its own.
func TestCheckLines(t *testing.T) {
	g := &Result{}
	for i := range 34 {
		g.Checks = append(g.Checks, Check{Name: "budget audit", Label: fmt.Sprint(i), Found: "x", Limit: "none", Verdict: Pass})
	}
	g.Checks = append(g.Checks, Check{Name: "budget audit", Label: "64, k 5", Found: "2 rows", Limit: "none", Verdict: Fail}, Check{Name: "peak memory", Label: "64", Found: "1 GiB", Limit: "1.1 times", Verdict: Pass})
	if got, want := strings.Join(g.checkLines(), "\n"), "34 budget audits: pass\n1 peak memory: pass\nbudget audit, 64, k 5: FAIL: 2 rows; limit none"; got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

// What keeps more than the full cache has a star, and a line says why.
func TestStars(t *testing.T) {
	set := drops(3, 0, "a")
	for i := range set.Rows {
		r := &set.Rows[i]
		r.CacheBytes, r.FullCacheBytes, r.KeptMean = new(int64(60)), new(int64(40)), new(500.0)
	}
	g, err := Variants(set, "full", onSet(1))
	if err != nil {
		t.Fatal(err)
	}
	if md := g.Markdown(); !strings.Contains(md, "1.50 *") || strings.Count(md, "* keeps more than the full cache: 3 copies per KV head") != 1 {
		t.Error(md)
	}
}

// Names and errors of others cannot steer a terminal, in a verdict or a plan.
func TestNothingSteers(t *testing.T) {
	const evil, shown = "evil\x1b[2J\a\u009b31m\u202e", `evil\x1b[2J\x07\u009b31m\u202e`
	set := grid([]string{evil}, []string{"full", "64"}, 3, func(string, string, int) float64 { return 0.5 })
	for i := range set.Rows {
		r := &set.Rows[i]
		r.Model, r.Protocol, r.Audit, r.Budget = evil, evil, evil, r.Budget+evil
	}
	set.Name = evil
	g, err := Runs(set, set, onSet(5))
	if err != nil {
		t.Fatal(err)
	}
	p, err := PlanRuns(set, set, onSet(5))
	if err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string]string{"verdict": g.Text(100), "wide verdict": g.Text(0), "markdown": g.Markdown(), "plan": p.Text(100)} {
		if results.VisibleLines(text) != text {
			t.Errorf("the %s steers:\n%q", what, text)
		}
		if !strings.Contains(text, shown) {
			t.Errorf("the %s does not show the name:\n%s", what, text)
		}
	}
}
