package gate

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/results"
)

// answering makes rows say what they were scored for, so that another score is another text.
func answering(s results.Set) results.Set {
	for i := range s.Rows {
		s.Rows[i].Prediction = fmt.Sprint(*s.Rows[i].Score)
	}
	return s
}

// About the set, a run against itself passes as identical, however few its samples; any drop passes or fails as it is.
func TestAboutSet(t *testing.T) {
	same := answering(drops(3, 0.5, "a", "b"))
	for _, limit := range []float64{0, 0.5, 5} {
		g, err := Runs(same, same, onSet(limit))
		if err != nil || g.Verdict != Pass || !strings.Contains(g.Headline(), "PASS, about these samples: identical, not an answer changed in 6 comparisons") {
			t.Errorf("limit %v: %v, %v", limit, g.Headline(), err)
		}
	}
	for _, c := range []struct {
		n     int
		lost  float64
		limit float64
		want  Verdict
	}{{40, 0.05, 5, Pass}, {40, 0.075, 5, Fail}, {40, 0.05, 4.9, Fail}, {3, 0.34, 33, Fail}, {3, 0.34, 66.7, Pass}, {1000, 0.001, 0, Fail}, {1000, 0.001, 0.1, Pass}} {
		g, err := Variants(answering(drops(c.n, c.lost, "a")), "full", onSet(c.limit))
		if err != nil || g.Verdict != c.want || g.Lines[0].Bounds != nil {
			t.Errorf("%+v: %v, %v", c, g.Headline(), err)
		}
	}
	// Counts, and an average whose tasks weigh the same whatever their samples.
	set := answering(grid([]string{"a"}, []string{"full", "64"}, 10, func(_, v string, i int) float64 {
		return map[bool]float64{true: 1, false: 0}[v == "full" && i < 6 || v == "64" && i >= 3 && i < 8]
	}))
	more := answering(grid([]string{"b"}, []string{"full", "64"}, 2, func(_, v string, i int) float64 { return map[string]float64{"full": 0.5, "64": 0.25}[v] }))
	set.Rows, set.Run.Tasks = append(set.Rows, more.Rows...), []string{"a", "b"}
	g, err := Variants(set, "full", onSet(20))
	if err != nil || len(g.Lines) != 3 {
		t.Fatal(g, err)
	}
	if l := g.Lines[0]; l.Changed != 5 || l.Worse != 3 || l.Better != 2 || l.P == nil || math.Abs(*l.P-1) > 1e-12 || math.Abs(l.Drop-10) > 1e-9 || l.Verdict != Pass {
		t.Errorf("%+v", l)
	}
	if l := g.Lines[1]; l.Worse != 2 || l.P != nil || l.Drop != 25 || l.Verdict != Fail {
		t.Errorf("%+v", l)
	}
	if l := g.Lines[2]; !l.Average || l.Worse != 5 || l.P != nil || math.Abs(l.Drop-17.5) > 1e-9 || l.Samples != 12 || l.Verdict != Pass {
		t.Errorf("%+v", l)
	}
	if !strings.Contains(g.Headline(), "FAIL, about these samples: of 3 comparisons 2 pass, 1 fail") {
		t.Error(g.Headline())
	}
	// Another text with the same score is no drop, and is not identical.
	other := answering(drops(5, 0, "a"))
	for i := range other.Rows {
		other.Rows[i].Prediction += "."
	}
	if g, err := Runs(answering(drops(5, 0, "a")), other, onSet(0)); err != nil || g.Verdict != Pass || g.Lines[0].Identical || g.Lines[0].Changed != 5 {
		t.Errorf("%+v, %v", g, err)
	}
}

// Where all scores are 0 nothing is decided, whether answers changed or not.
func TestAboutSetOverZeros(t *testing.T) {
	zeros := grid([]string{"a"}, []string{"full", "64"}, 9, func(string, string, int) float64 { return 0 })
	for i := range zeros.Rows {
		zeros.Rows[i].Prediction = zeros.Rows[i].Variant
	}
	changed, err := Variants(zeros, "full", onSet(5))
	if err != nil {
		t.Fatal(err)
	}
	same, err := Runs(zeros, zeros, onSet(5))
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range []*Result{changed, same} {
		if g.Verdict != Undecided || !strings.Contains(g.Text(100), "scores above 0") || !strings.Contains(g.Text(0), "score 0 on every sample") || !strings.Contains(g.Headline(), "undecided") {
			t.Errorf("%s", g.Text(100))
		}
	}
}

func TestMcNemar(t *testing.T) {
	for _, c := range []struct {
		worse, better int
		want          float64
	}{
		{0, 0, 1}, {1, 0, 1}, {0, 6, 2. / 64}, {8, 0, 2. / 256}, {6, 2, 2 * (1 + 8 + 28) / 256.}, {2, 6, 2 * (1 + 8 + 28) / 256.}, {5, 5, 1}, {10, 1, 2 * 12 / 2048.},
	} {
		if got := mcNemar(c.worse, c.better); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%d worse, %d better: %v, want %v", c.worse, c.better, got, c.want)
		}
	}
	// Many: as the normal distribution with a correction for whole numbers.
	if got, want := mcNemar(52_000, 51_000), 2*normalCDF(-(1000-1)/math.Sqrt(103_000)); math.Abs(got-want) > 1e-5 {
		t.Errorf("%v, want about %v", got, want)
	}
}

// Scores and drops are 0 to 100 in JSON, which says so; the question's own numbers alone are there.
func TestJSONScale(t *testing.T) {
	for about, want := range map[About]bool{AboutSet: false, AboutPopulation: true} {
		limits := onSet(30)
		limits.About = about
		g, err := Variants(answering(drops(200, 0.2, "a")), "full", limits)
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		if err := g.WriteJSON(&b); err != nil {
			t.Fatal(err)
		}
		var j struct {
			About, Scale string
			Checks       []any
			Comparisons  []map[string]any
		}
		if err := json.Unmarshal([]byte(b.String()), &j); err != nil {
			t.Fatal(err)
		}
		l := j.Comparisons[0]
		_, bounds := l["p_pass"]
		if j.About != about.String() || !strings.Contains(j.Scale, "0 to 100") || j.Checks == nil || l["drop"] != 20.0 || l["baseline"] != 100.0 || l["limit"] != 30.0 || bounds != want {
			t.Errorf("%s", b.String())
		}
		if want && !(l["lo"].(float64) > 10 && l["hi"].(float64) < 30) {
			t.Errorf("interval %v, %v", l["lo"], l["hi"])
		}
	}
}

// Simulated: about the set, identical runs always pass, a drop beyond the limit on the samples always fails, and no other
// verdict is given. docs/ci.md says how often noise alone fails a gate; that is the binomial's share, and what is drawn.
func TestSimulatedSet(t *testing.T) {
	rng := rand.New(rand.NewPCG(19, 1))
	for range 300 {
		n, limit := 1+rng.IntN(60), 10*rng.Float64()
		shape := rng.IntN(2)
		base := answering(grid([]string{"a", "b"}, []string{"full"}, n, func(string, string, int) float64 {
			if shape == 0 {
				return float64(rng.IntN(2))
			}
			return rng.Float64()
		}))
		cand := base
		cand.Rows = append([]results.Row(nil), base.Rows...)
		if allZero(base) {
			continue // its own test
		}
		if g, err := Runs(base, cand, onSet(limit)); err != nil || g.Verdict != Pass {
			t.Fatalf("identical runs: %v, %v", g, err)
		}
		changed := false
		worst := math.Inf(-1)
		sum := map[string]float64{}
		for i := range cand.Rows {
			r := &cand.Rows[i]
			if rng.Float64() < 0.1 {
				was := *r.Score
				r.Score = new(1 - was)
				r.Prediction = fmt.Sprint(*r.Score)
				changed = true
				sum[r.Task] += was - *r.Score
			}
		}
		for _, task := range []string{"a", "b"} {
			worst = max(worst, 100*sum[task]/float64(n))
		}
		g, err := Runs(base, cand, onSet(limit))
		if err != nil {
			t.Fatal(err)
		}
		// The average is never worse than the worst task.
		if want := map[bool]Verdict{true: Fail, false: Pass}[worst > limit]; changed && g.Verdict != want && math.Abs(worst-limit) > 1e-6 {
			t.Fatalf("worst drop %v, limit %v: %s", worst, limit, g.Headline())
		}
	}
}

func allZero(s results.Set) bool {
	return !slices.ContainsFunc(s.Rows, func(r results.Row) bool { return *r.Score != 0 })
}

// docs/ci.md says how often noise alone fails a gate about the set, and how often a t interval, which is the peer's,
// passes a drop of the limit. Both are drawn here.
func TestDocsRates(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "ci.md"))
	if err != nil {
		t.Fatal(err)
	}
	close := func(what string, hits, draws int, want float64) {
		t.Helper()
		got, p := 100*float64(hits)/float64(draws), want/100
		if slack := 400*math.Sqrt(max(p*(1-p), 1e-4)/float64(draws)) + 0.5; math.Abs(got-want) > slack {
			t.Errorf("%s: %.2f of 100, the page says %v", what, got, want)
		}
	}
	rng := rand.New(rand.NewPCG(19, 2))
	rows := 0
	for _, m := range regexp.MustCompile(`(?m)^\| (\d+) \| (\d+) % \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$`).FindAllStringSubmatch(string(page), -1) {
		rows++
		number := func(s string) float64 { v, _ := strconv.ParseFloat(s, 64); return v }
		n, turned := int(number(m[1])), number(m[2])/100
		const draws = 4000
		failed := [3]int{}
		for range draws {
			pairs := make([]results.Pair, n)
			for i := range pairs {
				switch u := rng.Float64(); {
				case u < turned/2:
					pairs[i] = results.Pair{Base: 1}
				case u < turned:
					pairs[i] = results.Pair{Cand: 1}
				default:
					pairs[i] = results.Pair{Base: 1, Cand: 1}
				}
			}
			for k, limit := range []float64{1, 2.5, 5} {
				x := &test{pairs: [][]results.Pair{pairs}, limit: Limit{Value: limit}}
				x.count()
				aboutSet([]*test{x}, nil)
				if x.line.Verdict == Fail {
					failed[k]++
				}
			}
		}
		for k := range failed {
			close(m[0], failed[k], draws, number(m[3+k]))
		}
	}
	if rows != 6 {
		t.Errorf("%d rows of noise on the page", rows)
	}
	peer := regexp.MustCompile(`\(of 100 runs of 20, 40, 100 samples\) \| (\d+), (\d+), (\d+) \| at most 2.5 \|`).FindStringSubmatch(string(page))
	if peer == nil {
		t.Fatal("the page does not say what a t interval passes")
	}
	for k, c := range []struct {
		n int
		t float64 // Student's, 97.5 %, from a table
	}{{20, 2.093}, {40, 2.023}, {100, 1.984}} {
		const draws = 10_000
		passed := 0
		for range draws {
			d := make([]float64, c.n)
			for i := range d {
				if rng.Float64() < 0.05 {
					d[i] = 1
				}
			}
			if mean(d)+c.t*math.Sqrt(variance(d)/float64(c.n)) <= 0.05 {
				passed++
			}
		}
		want, _ := strconv.ParseFloat(peer[k+1], 64)
		close(fmt.Sprintf("a t interval of %d", c.n), passed, draws, want)
	}
}

// A drop just above its limit is not written as if it were the limit.
func TestDropBesideLimit(t *testing.T) {
	set := answering(grid([]string{"a"}, []string{"full", "64"}, 3, func(_, v string, i int) float64 { return map[string]float64{"full": 0.9, "64": 0.84998}[v] }))
	for limit, want := range map[float64][2]string{5: {"5.002", "5.000"}, 4: {"5.00", "4.00"}, 5.002: {"5.00", "5.00"}} {
		g, err := Variants(set, "full", onSet(limit))
		if err != nil || (g.Verdict == Fail) != (limit <= 5) {
			t.Fatal(g, err)
		}
		if text := strings.Join(strings.Fields(g.Text(0)), " "); !strings.Contains(text, " "+want[0]+" "+want[1]+" ") {
			t.Errorf("limit %v: no %q in %s", limit, want, text)
		}
		if s := g.sentence(g.Lines[0]); !strings.Contains(s, "drop "+want[0]+" points, limit "+want[1]+",") {
			t.Errorf("limit %v: %s", limit, s)
		}
	}
}
