package compress

import (
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
)

func TestParse(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"full", "full"},
		{" snapkv( cap=1024 ) ", "snapkv(cap=1024,w=32,k=7,pool=max,gqa=query_head)"},
		{"snapkv(gqa=kvpress,k=5,cap=2k,pool=avg,w=64)", "snapkv(cap=2048,w=64,k=5,pool=avg,gqa=kvpress)"},
		{"snapkv(cap=12.50%)", "snapkv(cap=12.5%,w=32,k=7,pool=max,gqa=query_head)"},
		{"snapkv(cap=64|128,w=16,k=5|7)", "snapkv(cap=64|128,w=16,k=5|7,pool=max,gqa=query_head)"},
	} {
		v, err := Parse(c.in)
		if err != nil || v.String() != c.want {
			t.Errorf("Parse(%q) = %v, %v; want %s", c.in, v, err, c.want)
			continue
		}
		if again, err := Parse(v.String()); err != nil || again.String() != v.String() {
			t.Errorf("%s reads back as %v, %v", v, again, err)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for in, want := range map[string]string{
		"snap":                           `unknown policy "snap": have full, snapkv`,
		"snap(cap=3)":                    `unknown policy "snap": have full, snapkv`,
		"snapkv":                         "want NAME(cap=",
		"snapkv()":                       "not name=value",
		"snapkv(w=8)":                    "no capacity",
		"snapkv(cap=32)":                 "capacity 32 leaves nothing beside the window of 32",
		"snapkv(cap=64,k=4)":             `kernel k "4": want an odd number`,
		"snapkv(cap=64,k=0)":             `kernel k "0"`,
		"snapkv(cap=64,pool=min)":        `pooling pool "min": have max, avg`,
		"snapkv(cap=64,gqa=mean)":        `grouping gqa "mean": have query_head, kv_head_mean, kv_head_max, kvpress`,
		"snapkv(cap=64,kernel=5)":        `no parameter "kernel": have cap, w, k, pool, gqa`,
		"snapkv(cap=64,k=5,k=7)":         "k is given twice",
		"snapkv(cap=0)":                  `capacity cap "0"`,
		"snapkv(cap=101%)":               `want a share above 0% up to 100%`,
		"snapkv(cap=99999999k)":          "want tokens",
		"snapkv(cap=64|16,w=32)":         "capacity 16 leaves nothing",
		"full(cap=1)":                    "full has no parameters",
		"snapkv(cap=9999999999999999999": "want NAME(cap=",
	} {
		if v, err := Parse(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%q) = %v, %v; want an error with %q", in, v, err, want)
		}
	}
	if _, err := ParseAll("full;snapkv(cap=64);snapkv(cap=64,k=7)"); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("one variant in two spellings: %v", err)
	}
}

func TestGrid(t *testing.T) {
	v, err := Grid{Policy: "snapkv", Budgets: []string{"128", "full", "256"}, Axes: []Axis{{"k", []string{"5", "7"}}, {"pool", []string{"max", "avg"}}}}.Variants()
	if err != nil {
		t.Fatal(err)
	}
	if len(v) != 9 || !v[0].IsFull() || v[1].String() != "snapkv(cap=128,w=32,k=5,pool=max,gqa=query_head)" || v[8].String() != "snapkv(cap=256,w=32,k=7,pool=avg,gqa=query_head)" {
		t.Errorf("%v", v)
	}
}

func TestBudgets(t *testing.T) {
	for _, c := range []struct {
		budget  string
		n, want int
	}{
		// int(n·(1-ratio)) as kvpress computes it, for ratios it is run with
		{"75%", 1001, 750}, {"50%", 1001, 500}, {"25%", 7999, 1999}, {"12.5%", 4096, 512}, {"20%", 200, 40}, {"40%", 35, 14}, {"100%", 77, 77},
		{"64", 50, 64}, {"1k", 9, 1024},
	} {
		b, err := ParseBudget(c.budget)
		if err != nil || b.At(0, c.n) != c.want {
			t.Errorf("%s of %d is %d (%v), want %d", c.budget, c.n, b.At(0, c.n), err, c.want)
		}
	}
}

func TestExpectations(t *testing.T) {
	h := engine.Heads{Query: 8, KV: 2, Size: 4}
	v, err := Parse("snapkv(cap=40,w=8)")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		n    int
		want Expectation
	}{
		{100, Expectation{Heads: 8, PerHead: 40, Total: 320, Tail: 8}},
		{40, Expectation{Heads: 8, PerHead: 40, Total: 320, Tail: 8}}, // n == cap runs through
		{39, Expectation{Heads: 2, PerHead: 39, Total: 78, Tail: 39}}, // n < cap keeps everything
	} {
		if got := v.Expect(Layer{Layers: 3, Tokens: c.n, Heads: h}); got != c.want {
			t.Errorf("n = %d: %+v, want %+v", c.n, got, c.want)
		}
	}
	if v.Needs(3, 39).Window != 0 || v.Needs(3, 40).Window != 8 {
		t.Error("a prompt that loses nothing needs no window, one at the budget does")
	}
	share, err := Parse("snapkv(cap=10%,w=8)")
	if err != nil {
		t.Fatal(err)
	}
	if share.CheckPrompt(3, 80) == nil || share.CheckPrompt(3, 90) != nil {
		t.Error("10 % of 80 is the window alone, of 90 it is not")
	}
	lists, err := Parse("snapkv(cap=40|50,w=8)")
	if err != nil {
		t.Fatal(err)
	}
	if lists.CheckLayers(3) == nil || lists.CheckLayers(2) != nil {
		t.Error("a list of two serves two layers")
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"full", "snapkv(cap=64|128,w=16,k=5|7)", "snapkv(cap=12.5%)", "snapkv(", "a=b", "snapkv(cap=1e9%)"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := Parse(s)
		if err != nil {
			return
		}
		again, err := Parse(v.String())
		if err != nil || again.String() != v.String() {
			t.Errorf("%q gives %s, which reads back as %v, %v", s, v, again, err)
		}
		v.CheckLayers(2)
		v.Capacity(0, 1000)
	})
}
