package plots

import (
	"bytes"
	"errors"
	"fmt"
	"image/color"
	"image/png"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/results"
)

func measure(name string) results.Measure {
	for _, m := range results.Measures() {
		if m.Name == name {
			return m
		}
	}
	panic(name)
}

// texts lists the text elements of an SVG in the order of drawing.
func texts(svg []byte) []string {
	var list []string
	for _, m := range regexp.MustCompile(`(?s)<text[^>]*>(.*?)</text>`).FindAllSubmatch(svg, -1) {
		list = append(list, strings.TrimSpace(string(m[1])))
	}
	return list
}

func count(list []string, want string) int {
	n := 0
	for _, s := range list {
		if s == want {
			n++
		}
	}
	return n
}

func byName(t *testing.T, figures []Figure, name string) Figure {
	t.Helper()
	var have []string
	for _, f := range figures {
		if f.Name == name {
			return f
		}
		have = append(have, f.Name)
	}
	t.Fatalf("no figure %q: have %q", name, have)
	panic("unreachable")
}

func TestNeedleMap(t *testing.T) {
	set := needleSet()
	figs, err := NeedleMap(set, measure("recalled"))
	if err != nil {
		t.Fatal(err)
	}
	look(t, figs)
	if len(figs) != 26 {
		t.Errorf("%d figures, want one for each of 25 variants and one of all", len(figs))
	}
	full := texts(byName(t, figs, "needle_recalled_full").SVG())
	for _, want := range []string{"1K", "2K", "4K", "8K", "Prompt length (tokens)", "Needle depth (%)", "Recalled (0–100)", "niah, full"} {
		if count(full, want) != 1 {
			t.Errorf("%d × %q in %q", count(full, want), want, full)
		}
	}
	// 4 lengths × 5 depths, of which one failed: the text 100 is in 19 cells, on the scale and among the depths.
	if count(full, "100") != 19+1+1 || count(full, "n/a") != 1 {
		t.Errorf("%d numbers, %d missing: %q", count(full, "100"), count(full, "n/a"), full)
	}
	small := texts(byName(t, figs, "needle_recalled_snapkv-cap-128-w-32-k-5-pool-max-gqa-query_head").SVG())
	if count(small, "n/a") != 2 {
		t.Errorf("a cell that failed and one that was never run: %d marked", count(small, "n/a"))
	}
	// Depth 0 is on top, and depth rises downwards.
	at := func(s string) float64 {
		m := regexp.MustCompile(`<text x="[^"]*" y="([^"]*)"[^>]*>` + s + `</text>`).FindSubmatch(byName(t, figs, "needle_recalled_full").SVG())
		if m == nil {
			t.Fatalf("no label %q", s)
		}
		y, err := strconv.ParseFloat(string(m[1]), 64)
		if err != nil {
			t.Fatal(err)
		}
		return y
	}
	if !(at("25") < at("50") && at("50") < at("75")) { // y grows downwards
		t.Errorf("depths 25, 50, 75 at %v, %v, %v", at("25"), at("50"), at("75"))
	}
	// A needle run of ten tasks has a figure for each.
	for i := range set.Rows {
		if set.Rows[i].Length != nil && *set.Rows[i].Length > 2048 {
			set.Rows[i].Task = "multikey"
		}
	}
	figs, err = NeedleMap(set, measure("score"))
	if err != nil || len(figs) != 52 {
		t.Errorf("%d figures, %v", len(figs), err)
	}
}

func TestBudgetMap(t *testing.T) {
	set := needleSet()
	figs, err := BudgetMap(set, measure("recalled"))
	if err != nil {
		t.Fatal(err)
	}
	look(t, figs)
	got := texts(figs[0].SVG())
	// There is a panel for each pooling. Kernels, which have more values, go down.
	for _, want := range []string{"128", "256", "512", "1K", "full", "k 5", "k 7", "k 13"} {
		if count(got, want) != 2 {
			t.Errorf("%d × %q in %q, want it in both panels", count(got, want), want, got)
		}
	}
	for _, want := range []string{"pool max", "pool avg", "Budget (tokens kept per head)", "SmolLM2-135M-Instruct.Q4_1.gguf@b179c9523d0e, cpu float32; 50 rows failed; snapkv, gqa query_head, w 32"} {
		if count(got, want) != 1 {
			t.Errorf("%d × %q in %q", count(got, want), want, got)
		}
	}
	// The cells are the means of their rows.
	for _, v := range []struct {
		budget, pooling string
		kernel          int
	}{{"128", "max", 5}, {"1024", "avg", 13}, {"512", "max", 7}} {
		sum, n := 0.0, 0
		for _, r := range set.Rows {
			if r.Budget == v.budget && r.Params["pool"] == v.pooling && r.Params["k"] == fmt.Sprint(v.kernel) && r.Recalled != nil {
				sum, n = sum+*r.Recalled, n+1
			}
		}
		if want := strconv.FormatFloat(100*sum/float64(n), 'f', 1, 64); count(got, want) == 0 {
			t.Errorf("no %s for %+v in %q", want, v, got)
		}
	}
	// Shares of the prompt, and a variant that lacks a budget.
	for i := range set.Rows {
		if b := set.Rows[i].Budget; b == "128" {
			set.Rows[i].Budget = "12.5%"
			set.Rows[i].Variant = strings.Replace(set.Rows[i].Variant, "128", "12.5%", 1)
		}
	}
	var kept []results.Row
	for _, r := range set.Rows {
		if r.Policy != "full" && !(r.Budget == "256" && r.Params["k"] == "5") {
			kept = append(kept, r)
		}
	}
	set.Rows = kept
	if figs, err = BudgetMap(set, measure("recalled")); err != nil {
		t.Fatal(err)
	}
	got = texts(figs[0].SVG())
	if count(got, "12.5%") != 2 || count(got, "n/a") != 2 || count(got, "full") != 0 || count(got, "Budget (tokens or share of the prompt)") != 1 {
		t.Errorf("%q", got)
	}
}

func TestTaskMap(t *testing.T) {
	lb := longbenchSet(6)
	figs, err := TaskMap(lb, measure("score"))
	if err != nil {
		t.Fatal(err)
	}
	look(t, figs)
	got := texts(figs[0].SVG())
	for _, want := range append([]string{"average of 16", "Code", "256, k 5", "full"}, lb.Run.Tasks...) {
		if count(got, want) != 1 {
			t.Errorf("%d × %q in %q", count(got, want), want, got)
		}
	}
}

func TestPicturesAreDeterministic(t *testing.T) {
	draw := func() (all [][]byte) {
		a, _ := BudgetMap(needleSet(), measure("recalled"))
		b, _ := Curves(longbenchSet(4), measure("score"))
		for _, f := range []Figure{a[0], b[0]} {
			all = append(all, f.SVG(), f.PNG())
		}
		return all
	}
	x, y := draw(), draw()
	for i := range x {
		if len(x[i]) == 0 || !bytes.Equal(x[i], y[i]) {
			t.Errorf("picture %d: the same rows gave other bytes", i)
		}
	}
}

// TestNoHairlines: between cells of the same value there must be no pixel of another colour.
func TestNoHairlines(t *testing.T) {
	h := heat{lo: 0, hi: 100, bar: "x", columns: 1, panels: []panel{{xs: []string{"", "", "", ""}, ys: []string{"", "", ""}, values: [][]float64{{70, 70, 70, 70}, {70, 70, 70, 70}, {70, 70, 70, 70}}}}}
	img, err := png.Decode(bytes.NewReader(h.figure("x").PNG()))
	if err != nil {
		t.Fatal(err)
	}
	want := Look{}.colourAt(70, 0, 100)
	same := func(x, y int) bool {
		r, g, b, _ := img.At(x, y).RGBA()
		return uint8(r>>8) == want.R && uint8(g>>8) == want.G && uint8(b>>8) == want.B
	}
	// The longest run of the colour in any row and column of pixels is the grid's whole width and height.
	width, height := 0, 0
	bounds := img.Bounds()
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		run := 0
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			if run++; !same(x, y) {
				run = 0
			}
			width = max(width, run)
		}
	}
	for x := bounds.Min.X; x < bounds.Max.X; x++ {
		run := 0
		for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
			if run++; !same(x, y) {
				run = 0
			}
			height = max(height, run)
		}
	}
	if wantH := 3 * cellHeight * dpi / 72; math.Abs(float64(height-wantH)) > 3 || width < 4*34*dpi/72-3 {
		t.Errorf("longest runs of one colour: %d × %d pixels, want %d high", width, height, wantH)
	}
}

func TestRamp(t *testing.T) {
	last := -1.0
	for i, c := range ramp {
		l := luminance(c)
		if !(l > last) {
			t.Errorf("luminance falls at step %d: %v after %v", i, l, last)
		}
		last = l
		text := luminance(textOn(c))
		if contrast := (max(l, text) + 0.05) / (min(l, text) + 0.05); contrast < 4 {
			t.Errorf("step %d: contrast of the text %.2f", i, contrast)
		}
	}
	// Lightness spans most of its range, so people without red-green distinction see the order, too (Viénot 1999,
	// deuteranopia, in linear light).
	if luminance(ramp[0]) > 0.03 || luminance(ramp[rampSteps-1]) < 0.7 {
		t.Errorf("the ramp spans luminance %.3f to %.3f", luminance(ramp[0]), luminance(ramp[rampSteps-1]))
	}
	colourAt := Look{}.colourAt
	if colourAt(0, 0, 100) != ramp[0] || colourAt(100, 0, 100) != ramp[rampSteps-1] || colourAt(-5, 0, 100) != ramp[0] || colourAt(3, 3, 3) == (color.NRGBA{}) {
		t.Error("ends of the scale")
	}
}

func TestNothingToDraw(t *testing.T) {
	lb, empty := longbenchSet(2), results.Set{}
	if _, err := NeedleMap(lb, measure("score")); !errors.Is(err, ErrNothing) {
		t.Errorf("needle map without depths: %v", err)
	}
	for name, draw := range map[string]func(results.Set, results.Measure) ([]Figure, error){"needle": NeedleMap, "budget": BudgetMap, "task": TaskMap, "curves": Curves} {
		if _, err := draw(empty, measure("score")); !errors.Is(err, ErrNothing) {
			t.Errorf("%s of no rows: %v", name, err)
		}
	}
	// If all rows failed there is no picture, and no panic.
	for i := range lb.Rows {
		lb.Rows[i].Score, lb.Rows[i].Error = nil, "x"
	}
	if _, err := TaskMap(lb, measure("score")); !errors.Is(err, ErrNothing) {
		t.Errorf("all failed: %v", err)
	}
	if err := Report(&bytes.Buffer{}, []results.Set{lb, empty}); err != nil {
		t.Errorf("report of failed rows: %v", err)
	}
}

func TestTokens(t *testing.T) {
	for n, want := range map[int]string{0: "0", 512: "512", 1000: "1000", 1024: "1K", 1500: "1500", 4096: "4K", 31500: "31500", 32768: "32K", 380 * 1024: "380K", 380_000: "380k", 1 << 20: "1M", 1_000_000: "1M"} {
		if got := results.Tokens(n); got != want {
			t.Errorf("Tokens(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestNiceTicks(t *testing.T) {
	for _, c := range []struct {
		lo, hi float64
		want   string
	}{{0, 100, "[0 20 40 60 80 100]"}, {35, 50, "[35 40 45 50]"}, {0, 0.33, "[0 0.1 0.2 0.30000000000000004]"}, {5, 5, "[5]"}, {-1, 1, "[-1 -0.5 0 0.5 1]"}} {
		if got := fmt.Sprint(niceTicks(c.lo, c.hi, 5)); got != c.want {
			t.Errorf("%v to %v: %s, want %s", c.lo, c.hi, got, c.want)
		}
	}
}

// TestTitlesEndInTheirPanels: a panel's title ends before the next panel, or before the scale.
func TestTitlesEndInTheirPanels(t *testing.T) {
	set := needleSet()
	for i := range set.Rows {
		if r := &set.Rows[i]; r.Policy != "full" {
			r.Params["a_parameter_with_a_long_name"] = r.Params["pool"]
		}
	}
	figs, err := BudgetMap(set, measure("recalled"))
	if err != nil {
		t.Fatal(err)
	}
	look(t, renamed(figs, "longtitle_"))
	svg := figs[0].SVG()
	right := func(s string, size float64) float64 {
		m := regexp.MustCompile(`<text x="([^"]*)"[^>]*>` + regexp.QuoteMeta(s) + `</text>`).FindSubmatch(svg)
		if m == nil {
			t.Fatalf("no text %q", s)
		}
		x, err := strconv.ParseFloat(string(m[1]), 64)
		if err != nil {
			t.Fatal(err)
		}
		return x + size
	}
	bold := style(sizeTick, true, ink)
	first, second := "a_parameter_with_a_long_name avg, pool avg", "a_parameter_with_a_long_name max, pool max"
	if end, next := right(first, float64(bold.Width(first))), right(second, 0); !(end < next) {
		t.Errorf("the first title ends at %.0f, the second begins at %.0f", end, next)
	}
	if end, scale := right(second, float64(bold.Width(second))), right("80", 0)-barWidth-4; !(end < scale) {
		t.Errorf("the second title ends at %.0f, the scale begins at %.0f", end, scale)
	}
}
