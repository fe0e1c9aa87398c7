package gate

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/charmbracelet/lipgloss"
)

// The published spreads are those of the published scores.
func TestPublishedSpreads(t *testing.T) {
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
	if len(published) != len(full) {
		t.Errorf("%d tasks, published are %d", len(published), len(full))
	}
	for _, x := range published {
		base, differ, binary := full[x.task], 0, true
		d := make([]float64, len(base))
		for i, b := range base {
			c := snap[x.task][i]
			if d[i] = b - c; d[i] != 0 {
				differ++
			}
			binary = binary && b*(1-b) == 0 && c*(1-c) == 0
		}
		n := float64(len(d))
		got := fmt.Sprintf("%d %.2f %.2f %.1f %v", len(d), 100*mean(base), 100*math.Sqrt(variance(d)), 100*float64(differ)/n, binary)
		if want := fmt.Sprintf("%d %.2f %.2f %.1f %v", x.samples, x.base, x.spread, x.differ, x.binary); got != want {
			t.Errorf("%s: %s, the table says %s", x.task, got, want)
		}
	}
}

// A plan for a pilot has the pilot's spread; a spread of its own for the average; the same limits as the gate, corrected
// for as many comparisons.
func TestPlanFromPilot(t *testing.T) {
	limits := onSet(5)
	limits.Tasks = map[string]TaskLimit{"b": {&Limit{10, true}}}
	p, err := PlanVariants(drops(40, 0.2, "a", "b"), "full", limits)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Lines) != 3 || p.Comparisons != 3 {
		t.Fatalf("%+v", p)
	}
	for i, want := range []float64{5, 10, 5} {
		if l := p.Lines[i]; l.Limit != want || l.Set == nil || l.Population == nil || *l.Set > *l.Population {
			t.Errorf("%+v, want a limit of %v", l, want)
		}
	}
	// 8 of 40 lost: a variance of 0.2 × 0.8 × 40 / 39.
	if l := p.Lines[0]; math.Abs(l.Spread-100*math.Sqrt(0.16*40/39)) > 1e-9 || l.Differ != 20 || l.Samples != 40 {
		t.Errorf("%+v", l)
	}
	if two, err := PlanRuns(drops(40, 0, "a", "b"), drops(40, 0.2, "a", "b"), limits); err != nil || len(two.Lines) != 6 {
		t.Errorf("%+v, %v", two, err)
	}
	var refused *RefusedError
	if _, err := PlanRuns(drops(40, 0, "a"), drops(30, 0, "a"), limits); err == nil || !strings.Contains(err.Error(), "missing in the candidate") {
		t.Errorf("%v, %v", err, refused)
	}
	for _, width := range []int{60, 80, 120} {
		for line := range strings.SplitSeq(p.Text(width), "\n") {
			if lipgloss.Width(line) > width {
				t.Errorf("width %d: %s", width, line)
			}
		}
	}
	var b strings.Builder
	if err := p.WriteJSON(&b); err != nil || !strings.Contains(b.String(), `"samples_set"`) {
		t.Errorf("%s, %v", b.String(), err)
	}
}

// More comparisons, or a smaller limit, take more samples; none would do for a limit of 0 where anything changes.
func TestPlanFlips(t *testing.T) {
	plan := func(limit float64, tasks ...string) PlanLine {
		t.Helper()
		p, err := PlanFlips("5%", tasks, onSet(limit))
		if err != nil {
			t.Fatal(err)
		}
		return p.Lines[0]
	}
	one, many, strict, zero := plan(1, "a"), plan(1, "a", "b", "c"), plan(0.5, "a"), plan(0, "a")
	// (1.960 + 0.842)² × 0.05 / 0.01², and 1.960² × 0.05 / 0.01².
	if *one.Population != 3925 || *one.Set != 1921 {
		t.Errorf("%d, %d", *one.Population, *one.Set)
	}
	if *many.Population <= *one.Population || *strict.Set <= *one.Set || zero.Set != nil || zero.Population != nil {
		t.Errorf("%+v %+v %+v", many, strict, zero)
	}
	for _, share := range []string{"5", "0%", "101%", "-5%", "many", ""} {
		if _, err := PlanFlips(share, nil, onSet(1)); err == nil || !strings.Contains(err.Error(), "share of the answers") {
			t.Errorf("%q: %v", share, err)
		}
	}
	if _, err := PlanFlips("5%", nil, Limits{MaxDrop: &Limit{2, true}}); err == nil || !strings.Contains(err.Error(), "limit 2%") {
		t.Errorf("%v", err)
	}
}
