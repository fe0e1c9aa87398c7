package gate

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/results"
)

// points limits the drop on all prompts, onSet that on the samples.
func points(v float64) Limits { return Limits{About: AboutPopulation, MaxDrop: &Limit{Value: v}} }
func onSet(v float64) Limits  { return Limits{MaxDrop: &Limit{Value: v}} }

// drops makes a set in which the variant 64 loses a given share of ones against full on each task.
func drops(n int, lost float64, tasks ...string) results.Set {
	return grid(tasks, []string{"full", "64"}, n, func(task, v string, i int) float64 {
		if v == "64" && float64(i) < lost*float64(n) {
			return 0
		}
		return 1
	})
}

func TestGateVerdicts(t *testing.T) {
	for _, c := range []struct {
		name  string
		n     int
		lost  float64
		limit float64
		want  Verdict
	}{
		{"nothing lost, many samples", 1000, 0, 1, Pass},
		{"nothing lost, few samples prove little", 20, 0, 1, Undecided},
		{"a fifth lost", 200, 0.2, 1, Fail},
		{"exactly the limit", 400, 0.05, 5, Undecided},
		{"half the limit, few", 100, 0.02, 4, Undecided},
		{"half the limit, many", 4000, 0.02, 4, Pass},
	} {
		g, err := Variants(drops(c.n, c.lost, "a"), "full", points(c.limit))
		if err != nil {
			t.Fatal(c.name, err)
		}
		if g.Verdict != c.want || len(g.Lines) != 1 {
			t.Errorf("%s: %s", c.name, g.Headline())
		}
		if g.Verdict.ExitStatus() != map[Verdict]int{Pass: 0, Fail: 3, Undecided: 4}[c.want] {
			t.Errorf("%s: exit status %d", c.name, g.Verdict.ExitStatus())
		}
		if l := g.Lines[0]; math.Abs(l.Drop-100*c.lost) > 1e-9 || !(*l.Lo <= l.Drop && l.Drop <= *l.Hi) {
			t.Errorf("%s: drop %v [%v, %v]", c.name, l.Drop, *l.Lo, *l.Hi)
		}
	}
	// No failure in 20 samples at a limit of one point: the statistic is -sqrt(n 0.01 / 0.99), beyond 1.96 from n = 381 on.
	g, err := Variants(drops(20, 0, "a"), "full", points(1))
	if err != nil {
		t.Fatal(err)
	}
	if l := g.Lines[0]; l.Needed == nil || *l.Needed != 381 {
		t.Errorf("needed %v, want 381", l.Needed)
	}
	for n, want := range map[int]Verdict{360: Undecided, 400: Pass} {
		if g, err := Variants(drops(n, 0, "a"), "full", points(1)); err != nil || g.Verdict != want {
			t.Errorf("%d equal samples: %v, %v", n, g.Verdict, err)
		}
	}
	// A relative limit: 2 % of a baseline of 100 is two points; half the baseline makes it one.
	rel := Limits{About: AboutPopulation, MaxDrop: &Limit{2, true}}
	if g, err := Variants(drops(1000, 0.04, "a"), "full", rel); err != nil || g.Verdict != Fail || g.Lines[0].Limit != 2 {
		t.Errorf("relative: %+v %v", g, err)
	}
}

// Where baseline and candidate score 0 throughout no drop could show, so nothing passes.
// One task or one variant of zeros among others is as good as any.
func TestGateOverZeros(t *testing.T) {
	zeros := func(variants, tasks string) results.Set {
		return grid([]string{"a", "b"}, []string{"full", "64"}, 250, func(task, v string, i int) float64 {
			if strings.Contains(variants, v) && strings.Contains(tasks, task) {
				return 0
			}
			return 1
		})
	}
	all := zeros("full 64", "a b")
	against, err := Variants(all, "full", points(5))
	if err != nil {
		t.Fatal(err)
	}
	two, err := Runs(all, zeros("full 64", "a b"), points(5))
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range []*Result{against, two} {
		if g.Verdict != Undecided || g.Verdict.ExitStatus() != 4 || !strings.Contains(g.Text(100), "score 0 on every sample") || strings.Contains(g.Text(100), "at the limit") {
			t.Errorf("%s", g.Text(100))
		}
		for _, l := range g.Lines {
			if l.Verdict != Undecided || l.Needed != nil {
				t.Errorf("%+v", l)
			}
		}
	}
	for name, set := range map[string]results.Set{"a task": zeros("full 64", "a"), "another": zeros("full 64", "b")} {
		if g, err := Variants(set, "full", points(5)); err != nil || g.Verdict != Pass || len(g.Notes) > 0 {
			t.Errorf("%s of zeros: %v %v", name, g, err)
		}
	}
	small := zeros("64", "a b")
	if g, err := Runs(small, small, points(5)); err != nil || g.Verdict != Pass || len(g.Notes) > 0 {
		t.Errorf("a variant of zeros: %v %v", g, err)
	}
	if g, err := Runs(zeros("", ""), all, points(5)); err != nil || g.Verdict != Fail {
		t.Errorf("everything lost: %v %v", g, err)
	}
	// Of two models the broken one alone is named.
	other := zeros("", "")
	for i := range other.Rows {
		other.Rows[i].Model = "good"
	}
	other.Rows = append(other.Rows, all.Rows...)
	g, err := Variants(other, "full", points(5))
	if err != nil || g.Verdict != Undecided || len(g.Notes) != 1 || !strings.Contains(g.Notes[0], "tiny") {
		t.Errorf("one of two models: %v %v", g, err)
	}
}

func TestGateTwoRuns(t *testing.T) {
	base, cand := drops(1000, 0, "a", "b"), drops(1000, 0.1, "a", "b")
	base.Name, cand.Name = "main", "candidate"
	g, err := Runs(base, cand, points(1))
	if err != nil {
		t.Fatal(err)
	}
	// full: a, b, average pass (nothing changed); 64: all fail.
	if len(g.Lines) != 6 || g.Verdict != Fail {
		t.Fatalf("%d lines, %s", len(g.Lines), g.Headline())
	}
	for _, l := range g.Lines {
		if want := map[string]Verdict{"full": Pass, "64": Fail}[l.Label]; l.Verdict != want {
			t.Errorf("%s %s: %s, want %s (drop %v, p %v)", l.Label, l.Task, l.Verdict, want, l.Drop, l.PPass)
		}
	}
	// A limit of its own saves task b, the average's the average.
	l := points(1)
	l.Tasks = map[string]TaskLimit{"b": {&Limit{Value: 20}}, "a": {&Limit{Value: 20}}}
	l.Average = &TaskLimit{&Limit{Value: 15}}
	if g, err = Runs(base, cand, l); err != nil || g.Verdict != Pass {
		t.Errorf("%v %v", g, err)
	}
	// A broken audit fails whatever the scores say.
	base = drops(1000, 0, "a", "b")
	cand = drops(1000, 0, "a", "b")
	cand.Rows[7].Audit, cand.Rows[7].KeptMean = "kept 65, the budget says 64", new(65.0)
	if g, err = Runs(base, cand, points(1)); err != nil || g.Verdict != Fail || !strings.Contains(g.Headline(), "budget audit: 1 fail") {
		t.Errorf("%v %v", g.Headline(), err)
	}
}

func TestGateSpeedAndMemory(t *testing.T) {
	make2 := func() (results.Set, results.Set) { return drops(1000, 0, "a"), drops(1000, 0, "a") }
	limits := points(1)
	limits.MaxSlowdown, limits.MaxPeak = new(1.2), &Size{Times: 1.1}
	rng := rand.New(rand.NewPCG(1, 1))
	for _, c := range []struct {
		slow  float64
		bytes int64
		want  Verdict
	}{{1, 1 << 20, Pass}, {1.5, 1 << 20, Fail}, {1, 1<<20 + 1<<18, Fail}, {1.2, 1 << 20, Undecided}} {
		base, cand := make2()
		for i := range cand.Rows {
			r := &cand.Rows[i]
			r.DecodeSeconds = new(0.5 * c.slow * math.Exp(0.1*rng.NormFloat64()))
			r.PeakBytes = new(c.bytes)
		}
		g, err := Runs(base, cand, limits)
		if err != nil || g.Verdict != c.want {
			t.Errorf("%+v: %v %v", c, g.Headline(), err)
		}
		// An interval that is undecided about 1.2 is not written as if it ended there.
		for _, k := range g.Checks {
			var mean, lo, hi float64
			if _, err := fmt.Sscanf(k.Found, "%f times the baseline's [%f, %f]", &mean, &lo, &hi); k.Name == "decode time" && (err != nil || (lo < 1.2 && 1.2 < hi) != (k.Verdict == Undecided)) {
				t.Errorf("%+v: %s is %v", c, k.Found, k.Verdict)
			}
		}
	}
	base, cand := make2()
	cand.Rows[3].PeakBytes = nil
	var refused *RefusedError
	if _, err := Runs(base, cand, limits); !errors.As(err, &refused) || !strings.Contains(err.Error(), "peak_bytes, which 1 samples lack") {
		t.Errorf("a row without memory: %v", err)
	}
	if _, err := Variants(base, "full", limits); err == nil || !strings.Contains(err.Error(), "compare two runs") {
		t.Errorf("speed within one run: %v", err)
	}
	limits = points(1)
	limits.MaxKLRise = new(0.01)
	base, cand = make2()
	for i := range cand.Rows {
		base.Rows[i].KLMean, cand.Rows[i].KLMean = new(0.5), new(0.6)
	}
	if g, err := Runs(base, cand, limits); err != nil || g.Verdict != Fail {
		t.Errorf("KL: %v %v", g, err)
	}
}

func TestGateRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(r *results.Row) bool // false: leave the row out
		want   string
	}{
		"missing sample": {func(r *results.Row) bool { return r.Sample != "3" }, "a: missing in the candidate: 3"},
		"no answers": {func(r *results.Row) bool {
			if r.Sample == "3" {
				r.Score = nil
			}
			return true
		}, "failed in the candidate: 3 (it has no answers, so no score)"},
		"other prompt":         {func(r *results.Row) bool { r.PromptSHA256 = "other"; return true }, "another prompt in 0, 1, 2 and 2 more samples"},
		"other answer":         {func(r *results.Row) bool { r.Answer = "x"; return true }, `another answer in 0: "", "x"`},
		"other metric":         {func(r *results.Row) bool { r.Metric = "x"; return true }, `another metric in 0: "qa_f1", "x"`},
		"other metric version": {func(r *results.Row) bool { r.MetricVersion++; return true }, "another metric version"},
		"other task version":   {func(r *results.Row) bool { r.TaskVersion++; return true }, "another task version"},
		"other model":          {func(r *results.Row) bool { r.Model = "x"; return true }, `model: baseline "tiny", candidate "x"`},
		"other protocol":       {func(r *results.Row) bool { r.Protocol = "x"; return true }, `protocol: baseline "longbench", candidate "x"`},
		"other task":           {func(r *results.Row) bool { r.Task = "x"; return true }, "a is only in the baseline"},
		"missing variant":      {func(r *results.Row) bool { return r.Variant == "full" }, "variant 64 is only in the baseline"},
		"no rows":              {func(r *results.Row) bool { return false }, "is only in the baseline"},
	} {
		base, cand := drops(5, 0, "a"), drops(5, 0, "a")
		var kept []results.Row
		for _, r := range cand.Rows {
			if c.change(&r) {
				kept = append(kept, r)
			}
		}
		cand.Rows = kept
		_, err := Runs(base, cand, points(1))
		var refused *RefusedError
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
	part := drops(5, 0, "a")
	part.Partial = true
	if _, err := Runs(drops(5, 0, "a"), part, points(1)); err == nil || !strings.Contains(err.Error(), "not finished") {
		t.Errorf("partial: %v", err)
	}
	if _, err := Variants(drops(5, 0, "a"), "ful", points(1)); err == nil || !strings.Contains(err.Error(), `unknown variant "ful": did you mean full? tiny`) {
		t.Errorf("unknown variant: %v", err)
	}
	l := points(1)
	l.Tasks = map[string]TaskLimit{"qasper": {&Limit{Value: 1}}}
	if _, err := Variants(drops(5, 0, "a"), "full", l); err == nil || !strings.Contains(err.Error(), `limit for the task "qasper"`) {
		t.Errorf("limit without rows: %v", err)
	}
}

// Samples spread over devices of two kinds are in two tables: held against a run on one device, or spread otherwise, a
// part of them has no counterpart. Devices that each have all samples are compared each.
func TestGateDevices(t *testing.T) {
	on := func(devices ...string) results.Set { // devices by sample; "a+b" for both
		s := drops(len(devices), 0, "a")
		var rows []results.Row
		for _, r := range s.Rows {
			var i int
			fmt.Sscan(r.Sample, &i)
			for d := range strings.SplitSeq(devices[i], "+") {
				r.Device = d
				rows = append(rows, r)
			}
		}
		s.Rows = rows
		return s
	}
	both := on("cpu+ref", "cpu+ref", "cpu+ref")
	for name, c := range map[string]struct {
		base, cand results.Set
		want       string // empty: compared
		lines      int    // where device is allowed to differ
	}{
		"spread against one":    {on("cpu", "cpu", "cpu"), on("ref", "cpu", "cpu"), "tiny: the baseline has 3 samples on cpu float32, the candidate 1 samples on ref float32 and 2 on cpu float32", 0},
		"one against spread":    {on("ref", "cpu", "cpu"), on("cpu", "cpu", "cpu"), "tiny: the baseline has 1 samples on ref float32 and 2 on cpu float32, the candidate 3 samples on cpu float32", 0},
		"part against spread":   {on("cpu", "cpu", "ref"), on("cpu", "cpu"), "tiny: the baseline has 2 samples on cpu float32 and 1 on ref float32, the candidate 2 samples on cpu float32", 0},
		"spread otherwise":      {on("ref", "cpu", "cpu"), on("cpu", "ref", "cpu"), "tiny: the baseline has 1 samples on ref float32 and 2 on cpu float32, the candidate 2 samples on cpu", 0},
		"spread alike":          {on("ref", "cpu", "cpu"), on("ref", "cpu", "cpu"), "", 4},
		"all on both":           {both, both, "", 4},
		"all on both, and one":  {both, on("cpu", "cpu", "cpu"), "", 2},
		"one, and all on both":  {on("cpu", "cpu", "cpu"), both, "", 4},
		"one kind, and another": {on("cpu", "cpu", "cpu"), on("cuda:1", "cuda:0", "cuda:1"), "", 2},
	} {
		limits := onSet(1)
		limits.Across = Across{"device"}
		g, err := Runs(c.base, c.cand, limits)
		switch {
		case c.want == "" && (err != nil || len(g.Lines) != c.lines):
			t.Errorf("%s: %+v, %v", name, g, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestGateOutputs(t *testing.T) {
	set := drops(40, 0.2, "a", "b")
	set.Name = "runs/candidate"
	g, err := Variants(set, "full", points(1))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := g.WriteJUnit(&b); err != nil {
		t.Fatal(err)
	}
	var back junitSuites
	if err := xml.Unmarshal(b.Bytes(), &back); err != nil {
		t.Fatal(err)
	}
	if s := back.Suites[0]; s.Tests != len(g.Lines)+len(g.Checks) || s.Failures+s.Errors == 0 || len(s.Cases) != s.Tests {
		t.Errorf("junit: %d tests, %d failures, %d errors", s.Tests, s.Failures, s.Errors)
	}
	b.Reset()
	if err := g.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	var j struct {
		Verdict     string
		Comparisons []struct{ Drop, Lo, Hi *float64 }
	}
	if err := json.Unmarshal(b.Bytes(), &j); err != nil || j.Verdict != g.Verdict.String() || *j.Comparisons[0].Drop != 20 || j.Comparisons[0].Hi == nil {
		t.Errorf("json: %v %s", err, b.String())
	}
	md, text := g.Markdown(), g.Text(120)
	for _, want := range []string{"average of 2", "20.00", g.Verdict.String()} {
		if !strings.Contains(md, want) || !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s\n%s", want, md, text)
		}
	}
	t.Log("\n" + text)
}

func TestLimits(t *testing.T) {
	l, err := parseLimits([]byte("about: population\nacross: [model, dtype]\nmax_drop: 2%\nconfidence: 0.9\naverage: {max_drop: 0.5}\ntasks:\n  trec:\n    max_drop: 3.5\nmax_slowdown: 1.5\nmax_peak: 12GiB\nmax_kl_rise: 0\n"))
	if err != nil {
		t.Fatal(err)
	}
	if l.About != AboutPopulation || fmt.Sprint(l.Across) != "[model dtype]" || l.MaxDrop.String() != "2%" || l.task("trec").of(0.5) != 0.035 || l.task("x").of(0.5) != 0.01 || l.average().of(1) != 0.005 || l.MaxPeak.Bytes != 12<<30 || *l.MaxSlowdown != 1.5 {
		t.Errorf("%+v", l)
	}
	for text, want := range map[string]string{
		"about: all\nmax_drop: 1":            `"all" is no question: have set`,
		"across: [modle]\nmax_drop: 1":       `"modle": nothing of that name`,
		"max_drop: -1":                       "want points",
		"max_drop: 101":                      "want points",
		"max_drop: some":                     "want points",
		"max_drop: [1]":                      "want a number",
		"max_dorp: 1":                        "max_dorp",
		"max_drop: 1\nmax_peak: 3 elephants": "want a multiple",
		"max_drop: 1\nmax_slowdown: 0":       "max_slowdown",
		"max_drop: 1\nconfidence: 95":        "confidence",
		"max_slowdown: 1.2":                  "no max_drop",
		"tasks: {trec: {}}":                  "trec: no max_drop",
		"max_drop: 1\n  x: [":                "",
		"":                                   "no max_drop",
	} {
		if _, err := parseLimits([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", text, err, want)
		}
	}
	path := filepath.Join(t.TempDir(), "gate.yaml")
	if err := os.WriteFile(path, []byte("max_drop: 1\ntasks:\n  trec: {max_drop: 1, x: 2}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadLimits(path); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "[3:") {
		t.Errorf("no file and line: %v", err)
	}
}

// What nests deep is refused before it is parsed, with the line, at little cost.
func TestLimitsNesting(t *testing.T) {
	for text, want := range map[string]string{
		"max_drop: 1\ntasks: " + strings.Repeat("[", 50000):              ":2: lists and mappings more than ",
		strings.Repeat("[", 100000):                                      ": longer than ",
		"max_drop: &a [1, 1]\ntasks: {x: [*a, *a]}\n":                    `:1: "&": anchors`,
		"max_drop: 1\ntasks:\n  x: " + strings.Repeat("{max_drop: ", 50): ":3: lists and mappings more than ",
	} {
		path := filepath.Join(t.TempDir(), "gate.yaml")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := ReadLimits(path)
		runtime.ReadMemStats(&after)
		if err == nil || !strings.HasPrefix(err.Error(), path+want) {
			t.Errorf("%.40q: %v", text, err)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 64<<20 {
			t.Errorf("%.40q: %d MB", text, n>>20)
		}
	}
}

func FuzzLimits(f *testing.F) {
	f.Add([]byte("max_drop: 1\ntasks: {a: {max_drop: 2%}, b: {max_drop: [[[1]]]}}\nmax_slowdown: 1.2\n"))
	f.Add([]byte("max_drop: !!float 1\naverage: &a {max_drop: 1}\n"))
	f.Add([]byte("max_drop: 2%\ntasks:\n  trec: {max_drop: 3}\nmax_peak: 1e3MB\n"))
	f.Add([]byte("average: {max_drop: 0x1p-3}\nmax_drop: .5\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := parseLimits(b)
		if err != nil {
			return
		}
		for _, v := range []float64{l.task("trec").of(0.5), l.average().of(1), l.confidence()} {
			if !(v >= 0 && v <= 1) {
				t.Fatalf("accepted %q as %v", b, v)
			}
		}
	})
}
