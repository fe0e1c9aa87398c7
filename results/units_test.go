package results

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
)

// A rate, a time or a count is written without an exponent, however large it is.
func TestSignificant(t *testing.T) {
	for _, c := range []struct {
		v      float64
		digits int
		want   string
	}{{7.852, 3, "7.85"}, {0, 3, "0"}, {999.4, 3, "999"}, {999.7, 3, "1000"}, {2113.4, 3, "2113"}, {1222344.6, 4, "1222345"}, {0.01234, 3, "0.0123"}, {-2113, 3, "-2113"}} {
		if got := Significant(c.v, c.digits); got != c.want {
			t.Errorf("%v with %d digits: %s, want %s", c.v, c.digits, got, c.want)
		}
	}
	if got := Seconds(0.9997) + ", " + Seconds(0.0012346) + ", " + Seconds(119.96); got != "1000 ms, 1.23 ms, 120 s" {
		t.Error(got)
	}
}

// The tables of a run have no such number either: a card decodes thousands of tokens a second.
func TestRatesWithoutExponent(t *testing.T) {
	set := grid([]string{"a"}, []string{"full", "64"}, 3, func(string, string, int) float64 { return 1 })
	for i := range set.Rows {
		set.Rows[i].NewTokens, set.Rows[i].DecodeSeconds = new(4567), new(1.0)
	}
	set.Loads = []Load{{Variant: "64", Concurrency: 1, Requests: 3, PromptTokens: 2469135, NewTokens: 30, BusySeconds: 2, Running: new(1024.0)}}
	if text := Markdown(set); !strings.Contains(text, "4567 tokens/s") || !strings.Contains(text, "| 1234568 |") || !strings.Contains(text, "| 1024 |") {
		t.Error(text)
	}
}

// A drop that rounds to nothing, or is nothing, has no sign, in texts and in JSON.
func TestZeroHasNoSign(t *testing.T) {
	c := Comparison{Drop: -0.0002, Lo: -0.0003, Hi: math.Copysign(0, -1)}
	if c.String() != "0.0 points [0.0, 0.0]" || c.InPoints() != "0.0 [0.0, 0.0]" {
		t.Errorf("%q, %q", c.String(), c.InPoints())
	}
	if text, err := json.Marshal(known(c.Hi)); err != nil || string(text) != "0" {
		t.Errorf("%s, %v", text, err)
	}
}

// The median of an even number of times is the mean of the middle two, as anyone works it out.
func TestPercentile(t *testing.T) {
	for _, c := range []struct {
		times []time.Duration
		p     float64
		want  time.Duration
	}{{nil, 0.5, 0}, {[]time.Duration{7}, 0.95, 7}, {[]time.Duration{400, 100}, 0.5, 250}, {[]time.Duration{9, 1, 5}, 0.5, 5}, {[]time.Duration{40, 10, 30, 20}, 0.5, 25},
		{[]time.Duration{0, 100, 200, 300, 400, 500, 600, 700, 800, 900, 1000}, 0.95, 950}, {[]time.Duration{300, 0, 100, 200}, 0.1, 30}, {[]time.Duration{3, 1, 2}, 1, 3}, {[]time.Duration{3, 1, 2}, 0, 1}} {
		if got := Percentile(c.times, c.p); got != c.want {
			t.Errorf("%v at %v: %v, want %v", c.times, c.p, got, c.want)
		}
	}
}
