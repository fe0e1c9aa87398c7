package plots

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"gonum.org/v1/plot/vg"

	"github.com/snapbench/snapbench/results"
)

func TestFront(t *testing.T) {
	at := func(x, y float64) point { return point{x: x, y: y} }
	lines := []line{{points: []point{at(1, 10), at(2, 30), at(4, 20)}}, {points: []point{at(2, 5), at(8, 40), at(3, math.NaN())}}}
	for descending, want := range map[bool]string{
		false: "1:10 2:30 8:40", // 4:20 is beaten by 2:30
		true:  "8:40",           // the fastest is the best
	} {
		var got []string
		for _, q := range front(lines, descending) {
			got = append(got, fmt.Sprintf("%v:%v", q.x, q.y))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("descending %v: %v, want %s", descending, got, want)
		}
	}
}

// TestSpread: points at one place are moved apart, evenly and not far, and others stay where they are.
func TestSpread(t *testing.T) {
	lines := []line{{}, {}}
	for i := range 20 {
		lines[i%2].points = append(lines[i%2].points, point{x: 100 + 0.01*float64(i), y: float64(i)})
	}
	lines[0].points = append(lines[0].points, point{x: 300, y: 1}, point{x: 301, y: math.NaN()})
	moved := spread(lines, func(v float64) vg.Length { return vg.Length(v) })
	var at []float64
	for i, l := range moved {
		for k, q := range l.points {
			if q.x < 200 {
				at = append(at, float64(q.shift))
			} else if q.shift != 0 {
				t.Errorf("a point alone is moved by %v", q.shift)
			}
			if lines[i].points[k].shift != 0 {
				t.Fatal("the points that were given are moved")
			}
		}
	}
	for i, x := range at {
		if want := 0.7 * (float64(i) - 9.5); math.Abs(x-want) > 1e-9 {
			t.Errorf("point %d is moved by %v, want %v", i, x, want)
		}
	}
	if len(at) != 20 {
		t.Errorf("%d points", len(at))
	}
}

// madePaces are made-up paces of policySet's variants: a variant is as fast as its cache is small.
func madePaces(set results.Set, length, batch int) []Pace {
	seen := map[string]bool{}
	var list []Pace
	for _, r := range set.Rows {
		if !seen[r.Variant] {
			seen[r.Variant] = true
			list = append(list, Pace{Model: r.Model, Variant: r.Variant, Length: length, Batch: batch, TokensPerSecond: 1e9 / float64(*r.CacheBytes), PeakBytes: *r.CacheBytes})
		}
	}
	return list
}

func TestFrontier(t *testing.T) {
	set := policySet(64, 128, 256)
	m := measure("score")
	paces := append(madePaces(set, 1024, 2), madePaces(set, 32768, 8)...)
	paces = append(paces, madePaces(set, 1024, 1)...)
	paces = append(paces, Pace{Model: "another", Variant: "full", Length: 1024, Batch: 64, TokensPerSecond: 1})
	figs, err := Frontier(set, m, paces)
	if err != nil || len(figs) != 2 {
		t.Fatal(len(figs), err)
	}
	look(t, figs)
	bytes, speed := texts(byName(t, figs, "frontier_score").SVG()), texts(byName(t, figs, "frontier_speed_score").SVG())
	if count(bytes, "Cache (MiB)") != 1 || count(speed, "Tokens per second (2 × 1K tokens)") != 1 { // nearest to the prompts, the largest batch there
		t.Errorf("%q\n%q", bytes, speed)
	}
	g := groups(set, m, func(*results.Row) bool { return true }, false)[0]
	f := frontierOf(set.Run, g, m, results.Tables(set, m)[0], paces)
	ch, ok := f.overBytes()
	if !ok {
		t.Fatal("no chart")
	}
	points := 0
	for _, l := range ch.panels[0].lines {
		for _, q := range l.points {
			points++
			if !(ch.x.lo < q.x && q.x < ch.x.hi) || q.spot == nil {
				t.Errorf("%s at %v, axis %v to %v, spot %v", l.label, q.x, ch.x.lo, ch.x.hi, q.spot)
			}
		}
	}
	if points != len(g.variants) {
		t.Errorf("%d points of %d variants", points, len(g.variants))
	}
	// 64 of 1024 positions are 384 KiB, and 16 times as fast.
	grid := f.grid()
	found := false
	for _, row := range grid.Rows {
		if row[0] == "snapkv 64" {
			found = true
			if row[3] != "384.0 KiB" || row[4] != "0.062" || row[5] != "2543" || row[6] != "16.00" || row[7] != "384.0 KiB" || !strings.Contains(row[2], "[") {
				t.Errorf("%q of %q", row, grid.Head)
			}
		}
	}
	if !found {
		t.Errorf("%q", grid.Rows)
	}
	// Of steps that vary too much there is no ratio.
	for v, p := range f.paces {
		p.Unsteady = strings.HasSuffix(f.labels[v], " 64")
		f.paces[v] = p
	}
	grid = f.grid()
	for _, row := range grid.Rows {
		if (row[6] == "–") != strings.HasSuffix(row[0], " 64") || row[5] == "n/a" {
			t.Errorf("unsteady at 64: %q", row)
		}
	}
	if !strings.Contains(strings.Join(grid.Notes, "; "), "vary too much") {
		t.Errorf("%q", grid.Notes)
	}
	if figs, err = Frontier(set, m, nil); err != nil || len(figs) != 1 {
		t.Errorf("without paces: %d, %v", len(figs), err)
	}
	for i := range set.Rows {
		set.Rows[i].CacheBytes = nil
	}
	if _, err := Frontier(set, m, nil); !errors.Is(err, ErrNothing) {
		t.Errorf("rows without bytes: %v", err)
	}
}

// TestReportBeginsWithTheAnswer: what was asked for stands before how it was made, and runs have names that say what
// they are.
func TestReportBeginsWithTheAnswer(t *testing.T) {
	set := policySet(64, 256)
	set.Name, set.Run.Name = "runs/policies", "89e6c3255b18"
	set.Run.Machine = results.Machine{OS: "linux", Arch: "amd64", CPU: "EPYC", Threads: 2, Devices: []string{"cpu: EPYC, avx512, 2 threads"}}
	speed := Speed{Title: "Speed of embedded", About: "a card", Run: ReportRun{Title: "Speed of embedded", Path: "runs/speed"}, Paces: madePaces(set, 1024, 1),
		Grids: []results.Grid{{Head: []string{"variant", "tokens/s"}, Rows: [][]string{{"full", "<b>1</b>"}}, Strong: []bool{false}}}}
	var b bytes.Buffer
	if err := Report(&b, []results.Set{set}, speed); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	at := -1
	for _, want := range []string{
		"<title>embedded on niah and multikey: snapkv, h2o, recent and ada(snapkv) at 64 and 256; Speed of embedded</title>", "How small can the cache get?", `<p class="head">Not as small as any that was tried</p>`,
		`data-name="frontier_score"`, `data-name="frontier_speed_score"`, "tokens/s, 1 × 1K tokens", "Drop against the full cache", `<section id="speed1">`, "&lt;b&gt;1&lt;/b&gt;",
		`<section id="samples">`, "What was run", "linux/amd64, cpu: EPYC, avx512, 2 threads</dd>", "runs/speed",
	} {
		next := strings.Index(page, want)
		if next <= at {
			t.Errorf("%q is at %d, what comes before it at %d", want, next, at)
		}
		at = max(at, next)
	}
	if n := strings.Count(page, "2 threads"); n != 1 {
		t.Errorf("%d × 2 threads", n)
	}
	b.Reset()
	if err := Report(&b, nil, speed); err != nil || !strings.Contains(b.String(), "<title>Speed of embedded</title>") {
		t.Errorf("a report of speed alone: %v", err)
	}
}

// Rows that repeat a sample under a variant count in no picture, as in no table.
func TestRepeatedRows(t *testing.T) {
	set := policySet(64, 128)
	n := len(set.Rows)
	for _, r := range set.Rows[:n] {
		r.ID, r.Score = "z"+r.ID, new(1-*r.Score)
		set.Rows = append(set.Rows, r)
	}
	if g := groups(set, measure("score"), func(*results.Row) bool { return true }, false); len(g) != 1 || len(g[0].rows) != n {
		t.Errorf("%d rows of %d", len(g[0].rows), n)
	}
}

// A full cache that fails on long prompts is not drawn smaller than the others, and the picture says how many rows failed.
func TestFrontierOfFailures(t *testing.T) {
	set := policySet(64, 256)
	m := measure("score")
	at := func() map[string]float64 {
		g := groups(set, m, func(*results.Row) bool { return true }, false)[0]
		return frontierOf(set.Run, g, m, results.Tables(set, m)[0], nil).bytes
	}
	before := at()
	failed, n := map[string]bool{}, 0
	for i := range set.Rows {
		r := &set.Rows[i]
		if r.Variant == "full" && len(failed) < 5 {
			r.Score, r.Error, r.CacheBytes = nil, "memory", nil
			failed[r.Task+r.Sample] = true
			n++
		}
	}
	for i := range set.Rows {
		r := &set.Rows[i]
		if failed[r.Task+r.Sample] && r.CacheBytes != nil {
			r.CacheBytes = new(100 * *r.CacheBytes) // long prompts
		}
	}
	after := at()
	for v, b := range before {
		if after[v] != b {
			t.Errorf("%s: %v bytes, and %v over the samples that all have", v, b, after[v])
		}
	}
	figs, err := Frontier(set, m, nil)
	if err != nil || !strings.Contains(strings.Join(texts(figs[0].SVG()), " "), fmt.Sprintf("%d rows failed", n)) {
		t.Errorf("%v: %q", err, texts(figs[0].SVG()))
	}
	for i := range set.Rows { // nothing is shared
		if r := &set.Rows[i]; r.Variant == "full" {
			r.Sample = "x" + r.Sample
		}
	}
	if got := at(); len(got) != len(before) {
		t.Errorf("%d of %d variants have bytes", len(got), len(before))
	}
}
