package compress

import (
	"cmp"
	"slices"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
)

func TestParse(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"full", "full"},
		{" snapkv( cap=1024 ) ", "snapkv(cap=1024,w=32,k=7,pool=max,gqa=kv_head_mean)"},
		{"snapkv(gqa=kvpress,k=5,cap=2k,pool=avg,w=64)", "snapkv(cap=2048,w=64,k=5,pool=avg,gqa=kvpress)"},
		{"snapkv(cap=12.50%)", "snapkv(cap=12.5%,w=32,k=7,pool=max,gqa=kv_head_mean)"},
		{"snapkv(cap=64|128,w=16,k=5|7)", "snapkv(cap=64|128,w=16,k=5|7,pool=max,gqa=kv_head_mean)"},
		{"snapkv(cap=[64,128],w=16,k=[5, 7])", "snapkv(cap=64|128,w=16,k=5|7,pool=max,gqa=kv_head_mean)"},
		{"random( seed=3, cap = 64 )", "random(cap=64,w=32,seed=3)"},
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
		"snap":                           `unknown policy "snap": did you mean snapkv? have full, `,
		"snap(cap=3)":                    `unknown policy "snap": did you mean snapkv? have full, `,
		"snapkv":                         "no capacity: add cap=",
		"snapkv()":                       "not name=value",
		"snapkv(w=8)":                    "no capacity",
		"snapkv(cap=32)":                 "capacity 32 leaves nothing beside the window of 32",
		"snapkv(cap=64,k=4)":             `parameter k "4": want an odd number`,
		"snapkv(cap=64,k=0)":             `parameter k "0": want a whole number, 1 or more`,
		"snapkv(cap=64,pool=min)":        `parameter pool "min": have max, avg`,
		"snapkv(cap=64,gqa=mean)":        `parameter gqa "mean": did you mean kv_head_mean? have query_head, kv_head_mean, kv_head_max, kvpress, rkv`,
		"snapkv(cap=64,kernel=5)":        `no parameter "kernel": have cap, w, k, pool, gqa`,
		"snapkv(cap=64,k=5,k=7)":         "k is given twice",
		"snapkv(cap=0)":                  `capacity cap "0"`,
		"snapkv(cap=101%)":               `want a share above 0% up to 100%`,
		"snapkv(cap=99999999k)":          "want tokens",
		"snapkv(cap=64|16,w=32)":         "capacity 16 leaves nothing",
		"full(cap=1)":                    "full has no capacity",
		"snapkv(cap=9999999999999999999": "want a comma or a closing parenthesis",
		"snapkv(cap=64,snapkv)":          "snapkv is not built on another",
		"snapkv(cap=64) ;":               "follows",
		"(cap=64)":                       "a policy's name is missing",
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
	v, err := Grid{Policies: []Call{{Name: "snapkv"}}, Budgets: []string{"128", "full", "256"}, Axes: []Axis{{"k", "--kernels", []string{"5", "7"}}, {"pool", "--pooling", []string{"max", "avg"}}}}.Variants()
	if err != nil {
		t.Fatal(err)
	}
	if len(v) != 9 || v[0].Policy() != FullName || v[1].String() != "snapkv(cap=128,w=32,k=5,pool=max,gqa=kv_head_mean)" || v[8].String() != "snapkv(cap=256,w=32,k=7,pool=avg,gqa=kv_head_mean)" {
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
		if err != nil || b.At(0, c.n).Tokens != c.want {
			t.Errorf("%s of %d is %d (%v), want %d", c.budget, c.n, b.At(0, c.n).Tokens, err, c.want)
		}
	}
}

func TestExpectations(t *testing.T) {
	h := engine.Heads{Query: 8, KV: 2, Size: 4}
	v, err := Parse("snapkv(cap=40,w=8,gqa=query_head)")
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
		if got := v.Expect(Layer{Layers: 3, Tokens: c.n, Attention: engine.Attention{Heads: h}}); got != c.want {
			t.Errorf("n = %d: %+v, want %+v", c.n, got, c.want)
		}
	}
	if v.Needs(Layer{Layers: 3, Tokens: 39}).Window != 0 || v.Needs(Layer{Layers: 3, Tokens: 40}).Window != 8 {
		t.Error("a prompt that loses nothing needs no window, one at the budget does")
	}
	share, err := Parse("snapkv(cap=10%,w=8)")
	if err != nil {
		t.Fatal(err)
	}
	if share.CheckPrompt(Layer{Layers: 3, Tokens: 80}) == nil || share.CheckPrompt(Layer{Layers: 3, Tokens: 90}) != nil {
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
	for _, s := range []string{"full", "snapkv(cap=64|128,w=16,k=5|7)", "snapkv(cap=12.5%)", "snapkv(", "a=b", "snapkv(cap=1e9%)", "random(cap=[3,4],w=0)", "full(full(full))",
		"ada(cap=64,pyramid(snapkv(w=8)))", "pyramid(cap=50%,form=ffy0,beta=2|3)",
		"critical(cap=64,ada(form=kvpress,snapkv))", "chunk(cap=64,chunk=7)", "think(ratio=0.25,w=4)", "simlayer(recent=9,last=8|2)"} {
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

// A grid's axes go to every policy that has the parameter, however deep.
func TestGridOfPolicies(t *testing.T) {
	calls := func(list ...string) (out []Call) {
		for _, s := range list {
			c, err := ParseCall(s)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, c)
		}
		return out
	}
	v, err := Grid{Policies: calls("full", "snapkv(k=5)", "recent", "random(cap=99)"), Budgets: []string{"64", "128"},
		Axes: []Axis{{"k", "--kernels", []string{"7", "9"}}, {"w", "--windows", []string{"8", "16"}}}}.Variants()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, x := range v {
		got = append(got, x.String())
	}
	want := []string{"full",
		"snapkv(cap=64,w=8,k=5,pool=max,gqa=kv_head_mean)", "snapkv(cap=64,w=16,k=5,pool=max,gqa=kv_head_mean)",
		"snapkv(cap=128,w=8,k=5,pool=max,gqa=kv_head_mean)", "snapkv(cap=128,w=16,k=5,pool=max,gqa=kv_head_mean)",
		"recent(cap=64)", "recent(cap=128)", "random(cap=99,w=8,seed=0)", "random(cap=99,w=16,seed=0)"}
	if !slices.Equal(got, want) {
		t.Errorf("%q\nwant %q", got, want)
	}
	_, err = Grid{Policies: calls("recent"), Budgets: []string{"64"}, Axes: []Axis{{"k", "--kernels", []string{"7"}}}}.Variants()
	if err == nil || !strings.Contains(err.Error(), "--kernels: none of the policies recent has the parameter k") {
		t.Errorf("an axis that nothing takes: %v", err)
	}
}

// The published vectors of the hash, and a whole draw.
func TestRandom(t *testing.T) {
	key := func(seed, sample, layer, head, j uint64) uint64 {
		return splitMix(splitMix(splitMix(splitMix(splitMix(seed)^sample)^layer)^head) ^ j)
	}
	if a, b, c := key(0, 0, 0, 0, 0), key(1, 2, 3, 4, 5), key(42, 199, 31, 7, 131071); a != 0x78ae5a9a6b5fd45e || b != 0x90bb69b7166551de || c != 0xe5d4b71fffc23499 {
		t.Errorf("keys %x %x %x", a, b, c)
	}
	r := random{List[int]{4}, List[int]{0}}
	l := Layer{Tokens: 20}
	for head, want := range [][]int32{{2, 7, 8, 10, 12, 13, 16, 17, 18, 19}, {0, 1, 7, 8, 11, 12, 16, 17, 18, 19}} {
		if got := r.draw(l, head, 10); !slices.Equal(got, want) {
			t.Errorf("head %d keeps %v, want %v", head, got, want)
		}
	}
}

// TestRandomDraws holds the draw, which sorts only the lowest hashes, to its definition.
func TestRandomDraws(t *testing.T) {
	for seed := range 300 {
		n, w := 50+seed*7, seed%5
		for _, capacity := range []int{max(1, w), w + 1, w + 20, n/8 + w, n} {
			r, l := random{List[int]{w}, List[int]{seed}}, Layer{Tokens: n, Sample: 3}
			base := splitMix(splitMix(splitMix(splitMix(uint64(seed))^3)) ^ 1) // layer 0, head 1
			key := func(j int32) uint64 { return splitMix(base ^ uint64(j)) }
			order := span(0, n-w)
			slices.SortFunc(order, func(a, b int32) int { return cmp.Compare(key(a), key(b)) })
			want := slices.Concat(slices.Sorted(slices.Values(order[:capacity-w])), span(n-w, n))
			if got := r.draw(l, 1, capacity); !slices.Equal(got, want) {
				t.Fatalf("seed %d, %d of %d: %v, want %v", seed, capacity, n, got, want)
			}
		}
	}
}

// TestAllowed: a budget that differs by layer is no number of tokens of all layers.
func TestAllowed(t *testing.T) {
	for text, want := range map[string]int{
		"full": -1, "recent(cap=64)": 64, "recent(cap=64|128)": -1, "recent(cap=128|64)": -1, "recent(cap=64|64)": 64,
		"recent(cap=1000|2000)": 200,                                                                              // both are above the prompt
		"recent(cap=25%|50%)":   -1, "recent(cap=25%)": 50, "recent(cap=25%|50)": 50, "recent(cap=bytes:50%)": -1, // of no model
	} {
		v, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := v.Allowed(200); ok != (want > 0) || ok && got != want {
			t.Errorf("%s: %d, %v of 200 tokens, want %d", text, got, ok, want)
		}
	}
}

// A policy's observation window is known by layer, also where another is built on it.
func TestWindow(t *testing.T) {
	for text, want := range map[string][]int{
		"full": {0, 0}, "recent(cap=40)": {0, 0}, "tova(cap=40)": {0, 0}, "snapkv(cap=40,w=8)": {8, 8}, "snapkv(cap=40,w=8|4)": {8, 4},
		"h2o(cap=40,w=5)": {5, 5}, "ada(cap=40,snapkv(w=8|4))": {8, 4}, "think(w=6)": {6, 6}, "chunk(cap=40,knorm)": {0, 0}, "random(cap=40,w=3)": {3, 3},
	} {
		v, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		for layer, w := range want {
			if v.Window(layer) != w {
				t.Errorf("%s, layer %d: %d, want %d", text, layer, v.Window(layer), w)
			}
		}
	}
}
