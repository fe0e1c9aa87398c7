package compress

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/engine/cacheformat"
)

// TestFormatText: a format stands behind a plus, is read again, and is part of the policy's name;
// without one nothing is as it was not before.
func TestFormatText(t *testing.T) {
	for text, want := range map[string]string{
		"full+q4_0":                             "full+q4_0",
		"snapkv(cap=1k)+fp8":                    "snapkv(cap=1024,w=32,k=7,pool=max,gqa=kv_head_mean)+fp8_s1",
		"ada(cap=64,snapkv(k=5)) + kivi2":       "ada(cap=64,form=kvpress,alpha=0.2,normalize=off,snapkv(w=32,k=5,pool=max,gqa=kv_head_mean))+kivi2",
		"snapkv(cap=bytes:25%)+tq_4bit_nc_skip": "snapkv(cap=bytes:25%,w=32,k=7,pool=max,gqa=kv_head_mean)+tq_4bit_nc_skip",
		"snapkv(cap=64)":                        "snapkv(cap=64,w=32,k=7,pool=max,gqa=kv_head_mean)",
		"random(cap=bytes:512)+mxfp4":           "random(cap=bytes:512",
	} {
		v, err := Parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if !strings.HasPrefix(v.String(), want) {
			t.Errorf("%s is %s, want %s", text, v, want)
		}
		again, err := Parse(v.String())
		if err != nil || again.String() != v.String() || again.Cache() != v.Cache() {
			t.Errorf("%s is read again as %s, %v", v, again, err)
		}
		if plain := v.In(nil); v.Cache() != "" && (v.Policy() != plain.Policy()+"+"+v.Cache() || v.IsFull() || v.Budget() != plain.Budget()) {
			t.Errorf("%s: policy %s, budget %s, full %v", v, v.Policy(), v.Budget(), v.IsFull())
		}
	}
	for _, text := range []string{"full+", "full+q5_0", "+q4_0", "snapkv(cap=64+q4_0)", "full+q4_0+f16", "snapkv(cap=bytes:64|64)", "snapkv(cap=bytes:0)", "snapkv(cap=bytes:)"} {
		if v, err := Parse(text); err == nil {
			t.Errorf("%s is read as %s", text, v)
		}
	}
}

// TestFormatsInGrid: every variant in every format, and the full cache as it is, first.
func TestFormatsInGrid(t *testing.T) {
	given := func(string) bool { return false }
	texts := func(a Asked) (list []string) {
		t.Helper()
		all, err := a.List(given)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range all {
			list = append(list, v.String())
		}
		return list
	}
	got := texts(Asked{Policies: []string{"recent"}, Budgets: []string{"full", "64"}, Caches: []string{"f16", "fp8", " q4_0"}})
	want := []string{"full", "full+f16", "full+fp8_s1", "full+q4_0", "recent(cap=64)+f16", "recent(cap=64)+fp8_s1", "recent(cap=64)+q4_0"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	got = texts(Asked{Policies: []string{"recent"}, Budgets: []string{"full", "64"}, Caches: []string{"native", "q4_0"}})
	want = []string{"full", "full+q4_0", "recent(cap=64)", "recent(cap=64)+q4_0"}
	if !slices.Equal(got, want) {
		t.Errorf("with native: %q, want %q", got, want)
	}
	got = texts(Asked{Policies: []string{"full", "recent"}, Bytes: []string{"25%", "512"}, Caches: []string{"q4_0"}})
	want = []string{"full", "full+q4_0", "recent(cap=bytes:25%)+q4_0", "recent(cap=bytes:512)+q4_0"}
	if !slices.Equal(got, want) {
		t.Errorf("by bytes: %q, want %q", got, want)
	}
	for what, a := range map[string]Asked{
		"an unknown format": {Policies: []string{"recent"}, Budgets: []string{"64"}, Caches: []string{"q9"}},
		"a format twice":    {Policies: []string{"recent"}, Budgets: []string{"64"}, Caches: []string{"fp8", "fp8_s1"}},
		"full by bytes":     {Policies: []string{"full"}, Bytes: []string{"25%"}},
		"no share":          {Policies: []string{"recent"}, Bytes: []string{"0%"}},
	} {
		if list, err := a.List(given); err == nil {
			t.Errorf("%s: %v", what, list)
		}
	}
	for _, flag := range []string{"cache", "bytes"} {
		if _, err := (Asked{Variants: "full"}).List(func(f string) bool { return f == flag }); err == nil || !strings.Contains(err.Error(), "--"+flag) {
			t.Errorf("--variants beside --%s: %v", flag, err)
		}
	}
}

// shapes of models: bytes are those of Shape alone.
var small = Shape{Layers: 4, Heads: engine.Heads{Query: 8, KV: 2, Size: 64}}

// TestBytes: each capacity is the largest whose cache, counted head by head, fits, with the worst lengths where
// heads differ; a policy that divides its budget unevenly or keeps copies is counted as it keeps.
func TestBytes(t *testing.T) {
	hybrid := small
	hybrid.Hybrid = true
	for _, shape := range []Shape{small, hybrid} {
		for _, policy := range []string{"recent(cap=C)", "snapkv(cap=C,w=4)", "snapkv(cap=C,w=4,gqa=query_head)", "pyramid(cap=C,snapkv(w=4))", "ada(cap=C,snapkv(w=4))"} {
			for _, f := range cacheformat.All() {
				for _, n := range []int{200, 700} {
					for _, budget := range []string{"50%", "25%", "96"} {
						checkBytes(t, shape, policy, f, n, budget)
					}
				}
			}
		}
	}
}

func checkBytes(t *testing.T, shape Shape, policy string, f *cacheformat.Format, n int, budget string) {
	t.Helper()
	v, err := Parse(strings.Replace(policy, "C", "bytes:"+budget, 1) + "+" + f.Name)
	if err != nil {
		t.Fatal(err)
	}
	v = v.On(shape)
	share, err := ParseBudget(budget)
	if err != nil {
		t.Fatal(err)
	}
	limit := int64(shape.Layers * shape.Heads.KV * share.At(0, n).Tokens * 4 * shape.Heads.Size)
	l := Layer{Layers: shape.Layers, Tokens: n, Attention: engine.Attention{Heads: shape.Heads}}
	if err := v.CheckPrompt(l); err != nil {
		t.Errorf("%s on %d tokens: %v", v, n, err)
		return
	}
	bytes := func(w Variant) (all int64) {
		for i := range shape.Layers {
			l.Index = i
			e, in := w.Expect(l), shape.Format(f, i)
			if e.PerHead > 0 {
				all += int64(e.Heads) * in.Bytes(e.PerHead, shape.Heads.Size)
			} else {
				all += most(in, e.Most(), e.Heads, shape.Heads.Size)
			}
		}
		return all
	}
	c, ok := v.Capacity(0, n)
	if !ok || c < 1 || c > n {
		t.Errorf("%s on %d tokens: a capacity of %d, %v", v, n, c, ok)
		return
	}
	if got := bytes(v); got > limit {
		t.Errorf("%s on %d tokens: %d bytes of %d", v, n, got, limit)
	}
	for more := c + 1; more <= min(n, c+80); more++ { // none of the next fits
		w, err := NewVariant(mustCall(t, policy, more), "")
		if err != nil {
			t.Fatal(err)
		}
		if w.method.policy.Check(l, Capacity{more, float64(more)}) == nil && more < n {
			if got := bytes(w.In(f)); got <= limit {
				t.Errorf("%s on %d tokens keeps %d, but %d take %d bytes of %d", v, n, c, more, got, limit)
				return
			}
		}
	}
}

// most are the bytes of the worst division of n entries among two heads, by trying all of them.
func most(f *cacheformat.Format, n, heads, size int) (bytes int64) {
	if heads == 1 {
		return f.Bytes(n, size)
	}
	for first := range n + 1 {
		bytes = max(bytes, f.Bytes(first, size)+most(f, n-first, heads-1, size))
	}
	return bytes
}

func mustCall(t *testing.T, policy string, c int) Call {
	t.Helper()
	call, err := ParseCall(strings.Replace(policy, "C", strconv.Itoa(c), 1))
	if err != nil {
		t.Fatal(err)
	}
	return call
}

// TestBytesRefused: what does not fit is an error that says how much does.
func TestBytesRefused(t *testing.T) {
	l := Layer{Layers: small.Layers, Tokens: 400, Attention: engine.Attention{Heads: small.Heads}}
	for text, want := range map[string]string{
		"snapkv(cap=bytes:6%,w=32)+f16": "6% of the bytes: at most 24 tokens fit",
		"recent(cap=bytes:0.2%)+f16":    "0.2% of the bytes: not one token of f16 fits",
	} {
		v, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := v.On(small).CheckPrompt(l); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
		if err := v.CheckPrompt(l); err == nil || !strings.Contains(err.Error(), "a model") {
			t.Errorf("%s without a model: %v", text, err)
		}
		if c, ok := v.Capacity(0, 400); ok {
			t.Errorf("%s without a model has a capacity of %d", text, c)
		}
	}
}
