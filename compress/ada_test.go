package compress

import (
	"slices"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/ref"
)

// Composed policies are written as they are read.
func TestComposed(t *testing.T) {
	for in, want := range map[string]string{
		"ada(cap=64)": "ada(cap=64,form=kvpress,alpha=0.2,normalize=off,snapkv(w=32,k=7,pool=max,gqa=kv_head_mean))",
		"ada( cap=64, pyramid( snapkv( k=5 ) ) )":    "ada(cap=64,form=kvpress,alpha=0.2,normalize=off,pyramid(form=kvpress,beta=20,snapkv(w=32,k=5,pool=max,gqa=kv_head_mean)))",
		"ada(cap=64,form=factory,normalize=on,tova)": "ada(cap=64,form=factory,alpha=0.2,normalize=on,tova)",
		"pyramid(cap=50%,tova,beta=2|3)":             "pyramid(cap=50%,form=kvpress,beta=2|3,tova)",
	} {
		v, err := Parse(in)
		if err != nil || v.String() != want {
			t.Errorf("Parse(%q) = %v, %v; want %s", in, v, err, want)
			continue
		}
		if again, err := Parse(v.String()); err != nil || again.String() != want {
			t.Errorf("%s reads back as %v, %v", v, again, err)
		}
	}
	v, err := Parse("ada(cap=64,pyramid(beta=5,snapkv(w=8)))")
	if err != nil {
		t.Fatal(err)
	}
	if v.Policy() != "ada(pyramid(snapkv))" || !slices.Contains(v.Parameters(), Setting{"pyramid.snapkv.w", "8"}) {
		t.Errorf("%s with %v", v.Policy(), v.Parameters())
	}
}

func TestAdaErrors(t *testing.T) {
	for in, want := range map[string]string{
		"ada(cap=64,alpha=1.5)":                `parameter alpha "1.5": want a number from 0 to 1`,
		"ada(cap=64,alpha=NaN)":                `parameter alpha "NaN": want a number from 0 to 1`,
		"ada(cap=64,normalize=yes)":            `parameter normalize "yes": have on, off`,
		"ada(cap=64,normalize=on)":             "normalize=on is of form=factory: form kvpress does not",
		"ada(cap=64,form=ffy0,normalize=on)":   "normalize=on is of form=factory: form ffy0 does not",
		"ada(cap=32)":                          "capacity 32 leaves nothing beside the window of 32",
		"ada(cap=64,ada)":                      "ada is built on a policy that scores positions one by one",
		"ada(cap=64,random)":                   "ada is built on a policy that scores positions one by one",
		"ada(cap=64,snapkv,tova)":              "ada is built on snapkv and on tova: want one",
		"ada(cap=64,snapkv(gqa=kvpress,k=4))":  `parameter k "4"`,
		"ada(cap=64|16,snapkv(w=16))":          "capacity 16 leaves nothing",
		"ada(cap=64,pyramid(snapkv(cap=3)))":   "snapkv inside of pyramid has no capacity",
		"ada(ada(ada(ada(ada(ada(cap=64))))))": "more than 4 policies",
	} {
		if v, err := Parse(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%q) = %v, %v; want an error with %q", in, v, err, want)
		}
	}
}

// given is a scorer of scores that a test brings.
type given struct {
	rows  [][]float32
	sinks int
	tail  int
}

func (given) Needs(Layer) Needs       { return Needs{} }
func (g given) Bounds(l Layer) Bounds { return Bounds{len(g.rows), g.sinks, g.tail} }
func (g given) Score(ops Ops, l Layer) (Scores, error) {
	return ops.Compute("given", func() [][]float32 { return g.rows }), nil
}

// chosenBy returns what a policy keeps in a layer by a reference device, after the
// audit's checks.
func chosenBy(t *testing.T, p Policy, l Layer, c Capacity) [][]int32 {
	t.Helper()
	d := ref.New()
	if err := p.Check(l, c); err != nil {
		t.Fatal(err)
	}
	v := Made("tested", budgeted{p, c})
	l.Layers = max(l.Layers, 1)
	choice, err := Choose(d, Source{}, l, []Variant{v})
	if err != nil {
		t.Fatal(err)
	}
	defer choice.Free()
	k, e := choice.Kept[0], p.Expect(l, c)
	flat := make([]int32, k.Positions.Len)
	d.GetInts(flat, k.Positions)
	var heads [][]int32
	total := 0
	for h, length := range k.Len {
		if e.PerHead > 0 && length != e.PerHead {
			t.Errorf("head %d keeps %d, %d are expected", h, length, e.PerHead)
		}
		heads, flat, total = append(heads, flat[:length]), flat[length:], total+length
		for i := range e.Tail {
			if !slices.Contains(heads[h], int32(l.Tokens-1-i)) {
				t.Errorf("head %d lacks position %d of the tail", h, l.Tokens-1-i)
			}
		}
	}
	if len(heads) != e.Heads || total < e.Total-e.Spread || total > e.Most() {
		t.Errorf("%d heads keep %d positions, %+v is expected", len(heads), total, e)
	}
	if a, ok := p.(Auditor); ok {
		if err := a.Audit(l, c, heads); err != nil {
			t.Error(err)
		}
	}
	return heads
}

// budgeted gives a policy a capacity without a text.
type budgeted struct {
	Policy
	c Capacity
}

func (b budgeted) Check(l Layer, _ Capacity) error                 { return b.Policy.Check(l, b.c) }
func (b budgeted) Keep(ops Ops, l Layer, _ Capacity) (Kept, error) { return b.Policy.Keep(ops, l, b.c) }

func TestAdaShares(t *testing.T) {
	high := []float32{9, 8, 7, 6, 5, 4}
	low := []float32{.1, .6, .2, .5, .3, .4}
	l := Layer{Layers: 1, Tokens: 8, Attention: engine.Attention{Heads: engine.Heads{Query: 2, KV: 2, Size: 4}}}
	for _, c := range []struct {
		form      string
		alpha     float64
		normalize string
		sinks     int
		tokens    int
		want      [][]int32
	}{
		{"kvpress", 0, "off", 0, 4, [][]int32{{0, 1, 2, 3, 6, 7}, {6, 7}}},
		{"kvpress", .5, "off", 0, 4, [][]int32{{0, 1, 2, 3, 6, 7}, {6, 7}}},        // the window is the safeguard
		{"kvpress", .8, "off", 0, 4, [][]int32{{0, 1, 2, 6, 7}, {1, 6, 7}}},        // trunc(3.2) = 3
		{"kvpress", 1, "off", 0, 4, [][]int32{{0, 1, 6, 7}, {1, 3, 6, 7}}},         // all alike
		{"kvpress", 0, "off", 1, 4, [][]int32{{0, 1, 2, 6, 7}, {0, 6, 7}}},         // the first position is kept besides
		{"kvpress", 0, "off", 0, 8, [][]int32{span(0, 8), span(0, 8)}},             // as long as the prompt
		{"factory", 0, "off", 0, 4, [][]int32{{0, 1, 2, 3, 6, 7}, {6, 7}}},         // counts 4 and 0
		{"factory", .5, "off", 0, 4, [][]int32{{0, 1, 2, 6, 7}, {1, 6, 7}}},        // 4·½+1 and 0·½+1
		{"factory", .5, "off", 0, 5, [][]int32{{0, 1, 2, 3, 6, 7}, {1, 6, 7}}},     // 6·½+1 and 0·½+1: 9 for 10
		{"ffy0", 1, "off", 0, 5, [][]int32{{0, 1, 2, 6, 7}, {1, 3, 5, 6, 7}}},      // all alike
		{"factory", 0, "on", 0, 4, [][]int32{{0, 1, 2, 3, 6, 7}, {6, 7}}},          // weights 17/39 and 11/21 change little
		{"ffy0", .25, "off", 2, 6, [][]int32{{0, 1, 2, 3, 4, 6, 7}, {0, 1, 6, 7}}}, // 4·¾ and 0·¾, and the first two
	} {
		a := ada{given{[][]float32{high, low}, c.sinks, 2}, List[string]{c.form}, List[float64]{c.alpha}, List[string]{c.normalize}}
		if got := chosenBy(t, a, l, Capacity{c.tokens, float64(c.tokens)}); !slices.EqualFunc(got, c.want, slices.Equal) {
			t.Errorf("%s, alpha %g, %d sinks, capacity %d: %v, want %v", c.form, c.alpha, c.sinks, c.tokens, got, c.want)
		}
	}
}

// Halves are rounded to the even number, and the mixture is computed in float32.
func TestAdaMix(t *testing.T) {
	for _, c := range []struct {
		alpha             float64
		count, mean, want int
	}{
		{.5, 5, 0, 2}, {.5, 7, 0, 4}, {.5, 5, 4, 4}, {.2, 48, 48, 47}, // 38.4 + trunc(9.6)
		{.1, 5, 0, 4},   // 4.5 in both
		{.3, 5, 0, 4},   // 3.5: 0.7 in float32 gives 3.5 exactly
		{.3, 45, 0, 32}, // 31.5 in float32, 31.499999999999996 in float64
		{.7, 15, 0, 4},  // 4.5 in float32, 4.500000000000001 in float64
	} {
		a := ada{alpha: List[float64]{c.alpha}}
		if got := a.mix(Layer{}, c.count, c.mean); got != c.want {
			t.Errorf("alpha %g of %d and %d: %d, want %d", c.alpha, c.count, c.mean, got, c.want)
		}
	}
}

// A head whose scores are small but steep gets more when they are normalized.
func TestAdaNormalizes(t *testing.T) {
	rows := [][]float32{{2, 2, 2, 2}, {1.5, 0, 0, 0}}
	want := [][]float32{{1, 1, 1, 1}, {1.5, 0, 0, 0}} // weights 4/8 and 1.5/1.5
	if got := normalized(rows, 0, 2); !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("%v, want %v", got, want)
	}
	want = [][]float32{{2, 4. / 3, 4. / 3, 4. / 3}, {1.5, 0, 0, 0}}
	if got := normalized(append(rows[:1:1], []float32{1.5, 0, 0, 1}), 1, 2); !slices.Equal(got[0], want[0]) || got[1][3] != 1 {
		t.Errorf("%v with one sink, want %v and a last score of 1", got, want[0])
	}
}

func TestAdaAudit(t *testing.T) {
	l := Layer{Layers: 1, Tokens: 100, Attention: engine.Attention{Heads: engine.Heads{Query: 2, KV: 2, Size: 4}}}
	for in, lengths := range map[string][2]int{ // the least that passes, the other head what is left
		"ada(cap=40,alpha=0.5,snapkv(w=8))":              {20, 60},
		"ada(cap=40,alpha=0.1,snapkv(w=8))":              {8, 72},
		"ada(cap=40,form=factory,alpha=0.5,snapkv(w=8))": {24, 56},
	} {
		v, err := Parse(in)
		if err != nil {
			t.Fatal(err)
		}
		a, b := lengths[0], lengths[1]
		if err := v.Audit(l, [][]int32{make([]int32, a), make([]int32, b)}); err != nil {
			t.Errorf("%s: %v", v, err)
		}
		if err := v.Audit(l, [][]int32{make([]int32, a-1), make([]int32, b+1)}); err == nil {
			t.Errorf("%s: a head of %d passes", v, a-1)
		}
	}
	exact, err := Parse("ada(cap=40,snapkv(w=8))")
	if err != nil {
		t.Fatal(err)
	}
	if e := exact.Expect(l); e != (Expectation{Heads: 2, Total: 80, Tail: 8}) {
		t.Errorf("%+v", e)
	}
	if exact.KeepsAll(3, 41) || !exact.KeepsAll(3, 40) || !exact.KeepsAll(3, 39) {
		t.Error("40 positions keep all of 39 and of 40 tokens, not of 41")
	}
}
