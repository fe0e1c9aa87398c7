package results

import (
	"math"
	"strings"
	"testing"
)

// A server's times are percentiles over its rows, and its noise is what two answers differ in.
func TestServedCost(t *testing.T) {
	set := servers("", "auto", "fp8")
	for i := range set.Rows {
		r := &set.Rows[i]
		r.TTFTSeconds = new(float64(1 + i%40)) // 1 to 40
		r.TokenSecondsP50, r.TokenSecondsP95 = new(0.02), new(0.05)
		r.NewTokens, r.DecodeSeconds = new(10), new(0.5)
		if r.Variant == "server(kv=fp8)" {
			r.RepeatEqual, r.RepeatScore = new(i%4 != 0), new(0.25)
		}
	}
	costs := Costs(set.Run, set.Rows)
	if len(costs) != 2 {
		t.Fatalf("%d", len(costs))
	}
	got := costs[1].Served
	if got.FirstTokenP50 != 20.5 || math.Abs(got.FirstTokenP95-38.05) > 1e-12 || math.Abs(got.TokenP50-0.02) > 1e-12 || math.Abs(got.TokenP95-0.05) > 1e-12 || got.Same != 0.75 || got.RepeatScore != 0.25 || got.FirstScore != 0.5 {
		t.Errorf("%+v", got)
	}
	if s := costs[0].Served; !math.IsNaN(s.Same) || !math.IsNaN(s.RepeatScore) {
		t.Errorf("asked once: %+v", s)
	}
	text := Markdown(set)
	for _, want := range []string{"first token, median", "20 tokens/s", "75.0 %", "25.00, first 50.00", "the server's own noise"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	for _, c := range Summarize(set).Subjects[0].Costs {
		if *c.FirstTokenSecondsP50 != 20.5 || (c.RepeatEqual != nil) != (c.Variant == "server(kv=fp8)") {
			t.Errorf("%+v", c)
		}
	}
}
