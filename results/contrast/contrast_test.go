package contrast

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/results"
)

// run makes the rows of tasks a and b under variants, n samples each, with scores from a function.
func run(name string, variants []string, n int, score func(task, variant string, sample int) float64) results.Set {
	s := results.Set{Name: "runs/" + name, Run: results.Run{Name: name, Tasks: []string{"a", "b"}, Variants: variants}}
	for _, task := range []string{"a", "b"} {
		for i := range n {
			for _, v := range variants {
				r := results.Row{
					Schema: results.Schema, Run: name, Model: "tiny", Task: task, TaskVersion: 1, Sample: fmt.Sprint(i), Variant: v, Policy: "snapkv", Budget: v,
					Device: "cpu", DType: "float32", PromptSHA256: fmt.Sprintf("%s%d", task, i), Metric: "exact", MetricVersion: 1, Score: new(score(task, v, i)),
					PromptTokens: new(1000), KeptMean: new(250.0), CacheBytes: new(int64(25)), FullCacheBytes: new(int64(100)),
				}
				if v == "full" {
					r.Policy, r.KeptMean, r.CacheBytes = "full", new(1000.0), new(int64(100))
				}
				r.Prediction = fmt.Sprint(*r.Score)
				r.ID = r.Key(name)
				s.Rows = append(s.Rows, r)
			}
		}
	}
	return s
}

// right answers everything but the first lost samples of a task.
func right(lost map[string]int) func(string, string, int) float64 {
	return func(task, variant string, i int) float64 {
		if i < lost[task+" "+variant] {
			return 0
		}
		return 1
	}
}

func of(t *testing.T, against string, sets ...results.Set) *Contrast {
	t.Helper()
	c, err := Of(sets, against)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *Contrast) entry(t *testing.T, name string) (*Entry, int) {
	t.Helper()
	for k, e := range c.Entries {
		if e.Name == name {
			return e, k
		}
	}
	t.Fatalf("no entry %q", name)
	return nil, 0
}

// The sentence names what shows, with its interval, says that elsewhere nothing does, and what the cache is.
func TestWords(t *testing.T) {
	c := of(t, "", run("x", []string{"full", "64"}, 100, right(map[string]int{"a 64": 30, "b 64": 1})))
	if c.Entries[0].Name != "full" || !strings.HasPrefix(c.Entries[0].Words, "the reference: tiny, cpu float32, full") {
		t.Errorf("%+v", c.Entries[0])
	}
	e, k := c.entry(t, "64")
	lo, hi := *c.Lines[0].Cells[k].Lo, *c.Lines[0].Cells[k].Hi
	want := fmt.Sprintf("loses 30.0 [%.1f, %.1f] points on a, elsewhere no difference shows, -15.5 [", -hi, -lo)
	if !strings.HasPrefix(e.Words, want) || !strings.HasSuffix(e.Words, "] on average; it uses 25 % of the full cache") {
		t.Errorf("%s\nwant %s", e.Words, want)
	}
	if !(lo < -30 && -30 < hi) || *c.Lines[0].Cells[k].Score != 70 || *c.Lines[0].Cells[k].Difference != -30 || c.Lines[0].Samples != 100 {
		t.Errorf("%+v", c.Lines[0].Cells[k])
	}
	if x := c.Lines[2]; !x.Average || math.Abs(*x.Cells[k].Score-84.5) > 1e-9 || math.Abs(*x.Cells[k].Difference+15.5) > 1e-9 || x.Cells[k].P != nil {
		t.Errorf("%+v", x)
	}
	// Better, and nothing to tell.
	c = of(t, "64", run("x", []string{"full", "64"}, 100, right(map[string]int{"a 64": 30})))
	if e, _ := c.entry(t, "full"); !strings.HasPrefix(e.Words, "gains 30.0 [") || !strings.Contains(e.Words, "its cache is 400 % of that of 64") {
		t.Error(e.Words)
	}
	c = of(t, "", run("x", []string{"full", "64"}, 100, right(map[string]int{"a 64": 1})))
	if e, _ := c.entry(t, "64"); !strings.HasPrefix(e.Words, "shows no difference from full, ") {
		t.Error(e.Words)
	}
	same := run("x", []string{"full"}, 5, right(nil))
	other := same
	other.Name = "runs/y"
	c = of(t, "", same, other)
	if e, _ := c.entry(t, "y"); e.Words != "gives x's answer to the letter in all 10 samples; its cache is as large" || !e.Identical {
		t.Error(e.Words)
	}
}

// A sentence says no less than the numbers: of a single task the difference that does not show, of the same text graded
// otherwise the difference, and of nothing comparable that there is none.
func TestWordsAndNumbers(t *testing.T) {
	one := func(name string, variants []string, lost map[string]int) results.Set {
		s := run(name, variants, 18, right(lost))
		s.Rows, s.Run.Tasks = s.Rows[:len(s.Rows)/2], []string{"a"}
		return s
	}
	c := of(t, "", one("x", []string{"full", "64"}, map[string]int{"a 64": 2}))
	if want := fmt.Sprintf("shows no difference from full, -11.1 [%.1f, %.1f] points on a; ", *c.Lines[0].Cells[1].Lo, *c.Lines[0].Cells[1].Hi); !strings.HasPrefix(c.Entries[1].Words, want) {
		t.Errorf("%q, want %q", c.Entries[1].Words, want)
	}
	same := one("x", []string{"full", "64"}, map[string]int{"a 64": 9})
	for i := range same.Rows {
		same.Rows[i].Prediction = "one text"
	}
	if e := of(t, "", same).Entries[1]; e.Identical || !strings.HasPrefix(e.Words, "loses 50.0 [") {
		t.Errorf("identical %v: %q", e.Identical, e.Words)
	}
	other := one("y", []string{"full"}, map[string]int{"a full": 1})
	for i := range other.Rows {
		other.Rows[i].MetricVersion = 2
	}
	if e := of(t, "", one("x", []string{"full"}, nil), other).Entries[1]; !strings.HasPrefix(e.Words, "shares no sample with x that may be compared") {
		t.Errorf("%q", e.Words)
	}
}

// What is put out twice is the same to the last digit.
func TestSameTwice(t *testing.T) {
	set := run("x", []string{"full", "64"}, 300, right(nil))
	for i := range set.Rows {
		if r := &set.Rows[i]; r.Variant == "64" {
			r.CacheBytes = new(int64(1 + i*i%97))
		}
	}
	first := *of(t, "", set).Entries[1].CacheTimesIts
	for range 5 {
		if v := *of(t, "", set).Entries[1].CacheTimesIts; v != first {
			t.Fatalf("%v and %v", first, v)
		}
	}
	var b strings.Builder
	if err := of(t, "", set).WriteJSON(&b); err != nil || strings.Contains(b.String(), ": -0,") {
		t.Errorf("%v\n%s", err, b.String())
	}
}

// What shows is corrected for the number of differences: of many tasks without any, hardly a run has one.
func TestShowsIsCorrected(t *testing.T) {
	// 12 of 200 lost, none won, is p = 0.0005 by itself, and shows; 7 lost is p = 0.016, which does not among 40.
	var sets []results.Set
	sets = append(sets, run("base", []string{"full"}, 200, right(nil)))
	for i := range 20 {
		sets = append(sets, run(fmt.Sprint("r", i), []string{"full"}, 200, right(map[string]int{"a full": map[bool]int{true: 12, false: 7}[i == 0]})))
	}
	c := of(t, "", sets...)
	if c.Comparisons != 40 {
		t.Errorf("%d comparisons", c.Comparisons)
	}
	for k := range c.Entries[1:] {
		if x := c.Lines[0].Cells[k+1]; x.Shows != (k == 0) {
			t.Errorf("%s: shows %v, p %v", c.Entries[k+1].Name, x.Shows, *x.P)
		}
	}
	if c := of(t, "", sets[0], sets[2]); !c.Lines[0].Cells[1].Shows {
		t.Errorf("alone 7 of 200 show: p %v", *c.Lines[0].Cells[1].P)
	}
}

// Each variant is held against the first run's own where there is one, else against the reference; or all against one.
func TestHeldAgainst(t *testing.T) {
	a, b := run("a", []string{"full", "64"}, 3, right(nil)), run("b", []string{"full", "64", "128"}, 3, right(nil))
	for i := range b.Rows {
		b.Rows[i].Model = "other"
	}
	held := func(c *Contrast) string {
		var list []string
		for _, e := range c.Entries {
			list = append(list, e.Name+" → "+e.Against)
		}
		return strings.Join(list, "; ")
	}
	if got, want := held(of(t, "", a, b)), "a: full → ; a: 64 → a: full; b: full → a: full; b: 64 → a: 64; b: 128 → a: full"; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	if got, want := held(of(t, "b: 128", a, b)), "b: 128 → ; a: full → b: 128; a: 64 → b: 128; b: full → b: 128; b: 64 → b: 128"; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	var unknown *UnknownError
	if _, err := Of([]results.Set{a, b}, "c"); !errors.As(err, &unknown) || !strings.Contains(err.Error(), `nothing is called "c": have a: full, a: 64, b: full`) {
		t.Errorf("%v", err)
	}
	if _, err := Of([]results.Set{run("a", []string{"full"}, 3, right(nil))}, ""); err == nil || !strings.Contains(err.Error(), "nothing stands beside it") {
		t.Errorf("%v", err)
	}
}

// A mean over other samples, or graded otherwise, does not stand in the reference's column; the difference is over what
// both have, and the notes say so.
func TestOtherSamples(t *testing.T) {
	base := run("base", []string{"full"}, 40, right(nil))
	for name, c := range map[string]struct {
		change func(*results.Row) bool // false: no such row
		mean   bool
		shared int
		note   string
	}{
		"the same": {func(*results.Row) bool { return true }, true, 40, "held against base"},
		"half":     {func(r *results.Row) bool { return len(r.Sample) == 1 }, false, 10, "other: a: 10 samples have a score, of the reference 40: no mean beside the others'; the difference is over 10 shared samples"},
		"none":     {func(r *results.Row) bool { r.Sample = "x" + r.Sample; return true }, false, 0, "a: its 40 samples are not the reference's"},
		"a failure": {func(r *results.Row) bool {
			if r.Sample == "3" {
				r.Score, r.Error = nil, "out of memory"
			}
			return true
		}, false, 39, "39 samples have a score, of the reference 40"},
		"another metric": {func(r *results.Row) bool { r.MetricVersion = 2; return true }, false, 0, "graded by exact version 2, not exact version 1"},
		"other answers":  {func(r *results.Row) bool { r.Answer = "y"; return true }, false, 0, "other expected answers"},
		"other prompts":  {func(r *results.Row) bool { r.PromptSHA256 += "x"; return true }, true, 40, "other prompts in 40 samples, paired by their ids"},
		"another task":   {func(r *results.Row) bool { r.Task = "c" + r.Task; return true }, false, 0, "held against base"},
	} {
		other := run("other", []string{"full"}, 40, right(nil))
		var rows []results.Row
		for _, r := range other.Rows {
			if c.change(&r) {
				rows = append(rows, r)
			}
		}
		other.Rows = rows
		x := of(t, "", base, other)
		cell := x.Lines[0].Cells[1]
		if x.Lines[0].Task != "a" || (cell.Score != nil) != c.mean || cell.Shared != c.shared || (cell.Difference != nil) != (c.shared > 0) {
			t.Errorf("%s: %+v", name, cell)
		}
		if text := x.Text(0); !strings.Contains(text, c.note) {
			t.Errorf("%s: no %q in\n%s", name, c.note, text)
		}
	}
}

// Runs are called by as much of their paths as tells them apart.
func TestShortNames(t *testing.T) {
	for want, paths := range map[string][]string{
		"a b":               {"runs/a", "runs/b/"},
		"x/a y/a":           {"runs/x/a", "runs/y/a"},
		"a (1) a (2)":       {"a", "a"},
		"a.parquet b":       {"some/a.parquet", "b"},
		"/r/a (1) /r/a (2)": {"/r/a", "/r/a"},
	} {
		var sets []results.Set
		for _, p := range paths {
			sets = append(sets, results.Set{Name: p})
		}
		if got := strings.Join(shortNames(sets), " "); got != want {
			t.Errorf("%q: %s, want %s", paths, got, want)
		}
	}
}

// The table turns where there are more entries than tasks; JSON is 0 to 100 and says so.
func TestOutputs(t *testing.T) {
	wide := of(t, "", run("x", []string{"full", "16", "32", "64", "128"}, 20, right(map[string]int{"a 16": 20})))
	if g := wide.Grid(); g.Head[1] != "a (20)" || g.Rows[1][0] != "16" || !strings.HasPrefix(g.Rows[1][1], "0.00  -100.0 [") || !strings.HasSuffix(g.Rows[1][1], "]*") {
		t.Errorf("%q", g.Rows)
	}
	long := of(t, "", run("x", []string{"full", "64"}, 20, right(map[string]int{"a 64": 20})))
	if g := long.Grid(); g.Head[1] != "full" || g.Rows[0][0] != "a (20)" || !g.Strong[2] {
		t.Errorf("%q", g.Rows)
	}
	var b strings.Builder
	if err := long.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	var j struct {
		Scale string
		Lines []struct {
			Cells []struct{ Score, Difference, Lo, Hi *float64 }
		}
	}
	if err := json.Unmarshal([]byte(b.String()), &j); err != nil || !strings.Contains(j.Scale, "0 to 100") || *j.Lines[0].Cells[1].Difference != -100 || *j.Lines[0].Cells[0].Score != 100 || j.Lines[0].Cells[0].Difference != nil {
		t.Errorf("%v\n%s", err, b.String())
	}
	part := run("x", []string{"full", "64"}, 3, right(nil))
	part.Partial = true
	if text := of(t, "", part).Text(80); !strings.Contains(text, "runs/x is not finished: it has 12 rows so far") {
		t.Error(text)
	}
}

// A cache in a format is told as its table tells it, against 16 bits: not as a share of what float32 takes.
func TestWordsOfFormats(t *testing.T) {
	set := run("x", []string{"full", "full+q4_0", "64+q4_0"}, 20, right(nil))
	for i := range set.Rows {
		switch r := &set.Rows[i]; r.Variant {
		case "full": // float32: 4 bytes a number
			r.CacheBytes, r.FullCacheBytes = new(int64(4000)), new(int64(4000))
		case "full+q4_0":
			r.Policy, r.Budget, r.Cache, r.CacheBytes, r.FullCacheBytes = "full+q4_0", "full", "q4_0", new(int64(560)), new(int64(2000))
		default:
			r.Policy, r.Budget, r.Cache, r.CacheBytes, r.FullCacheBytes = "snapkv+q4_0", "64", "q4_0", new(int64(140)), new(int64(2000))
		}
	}
	for name, want := range map[string]string{"full+q4_0": "it uses 28 % of the full cache", "64+q4_0": "it uses 7.0 % of the full cache"} {
		c := of(t, "", set)
		for _, e := range c.Entries {
			if e.Variant == name && (!strings.HasSuffix(e.Words, want) || math.Abs(*e.CacheTimesIts-*e.CacheTimesFull) > 1e-9) {
				t.Errorf("%s: %s; %v of the full cache, %v of what it is held against", name, e.Words, *e.CacheTimesFull, *e.CacheTimesIts)
			}
		}
	}
	c := of(t, "full+q4_0", set)
	for _, e := range c.Entries {
		if want := map[string]string{"full": "its cache is 357 % of that of full+q4_0", "64+q4_0": "its cache is 25 % of that of full+q4_0"}[e.Variant]; !strings.HasSuffix(e.Words, want) {
			t.Errorf("%s: %s, want %s", e.Name, e.Words, want)
		}
	}
}
