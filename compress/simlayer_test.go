package compress

import (
	"math"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
)

func TestLazySum(t *testing.T) {
	rows := [][]float32{{.5, .25, 0, .125, .125}, {1, 0, 0, .5, .5}} // of two queries each
	for _, c := range []struct {
		sinks, recent int
		want          float64
	}{
		{1, 1, (.5 + .125 + 1 + .5) / 4},
		{0, 2, (.25 + 1) / 4},
		{3, 3, (.75 + .25 + 1 + 1) / 4}, // position 2 twice
		{9, 0, 3. / 4},
		{0, 9, 3. / 4},
	} {
		o := opsOn(Layer{Tokens: 7, Attention: engine.Attention{Heads: engine.Heads{Query: 2, KV: 2, Size: 4}}})
		s := o.Compute("given", func() [][]float32 { return rows })
		if got := lazySum(o, s, 2, c.sinks, c.recent); math.Abs(got-c.want) > 1e-12 || o.copied {
			t.Errorf("%d first and %d latest: %g, want %g; copied whole: %v", c.sinks, c.recent, got, c.want, o.copied)
		}
	}
}

func TestSimLayer(t *testing.T) {
	v, err := Parse("simlayer(last=2,recent=12,sinks=3)")
	if err != nil || v.String() != "simlayer(last=2,recent=12,sinks=3,threshold=0.9)" {
		t.Fatalf("%v, %v", v, err)
	}
	l := Layer{Layers: 1, Tokens: 50, Attention: engine.Attention{Heads: engine.Heads{Query: 4, KV: 3, Size: 4}}}
	e := v.Expect(l)
	if lazy := 3 * (3 + 10); e.Most() != 3*50 || e.Total-e.Spread > lazy || e.Total-e.Spread < lazy-1 || e.Tail != 10 || v.KeepsAll(1, 50) {
		t.Errorf("%+v: want from %d to %d", e, lazy, 3*50)
	}
	if n := v.Needs(l); n != (Needs{Window: 2, Scores: 5}) {
		t.Errorf("needs %+v", n)
	}
	lazy := append(span(0, 3), span(40, 50)...)
	for _, c := range []struct {
		kept [][]int32
		want string
	}{
		{[][]int32{lazy, lazy, lazy}, ""},
		{[][]int32{span(0, 50), span(0, 50), span(0, 50)}, ""},
		{[][]int32{lazy, span(0, 50), lazy}, "head 1 keeps 50 positions, head 0 13"},
		{[][]int32{lazy, lazy, lazy[1:]}, "head 2 keeps 12 positions: want all 50, or the 13 of a lazy layer"},
		{[][]int32{append(span(0, 4), span(41, 50)...)}, "head 0 keeps 13 positions"},
	} {
		err := v.Audit(l, c.kept)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%v: %v, want %q", c.kept, err, c.want)
		}
	}
	l.Tokens = 14
	if v.Expect(l) != Full.Expect(l) || v.Needs(l) != (Needs{}) {
		t.Error("14 tokens are fewer than the first 3 and the latest 12: all are kept, and nothing is measured")
	}
	for in, want := range map[string]string{
		"simlayer(last=8,recent=8)":   "recent=8 leaves nothing beside last=8: it must be larger",
		"simlayer(cap=64)":            "simlayer has no capacity",
		"simlayer(threshold=1.5)":     `parameter threshold "1.5": want a number from 0 to 1`,
		"simlayer(recent=9|8,last=8)": "recent=8 leaves nothing",
	} {
		if v, err := Parse(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%q) = %v, %v; want an error with %q", in, v, err, want)
		}
	}
}
