package compress

import (
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/engine/cacheformat"
)

// TestBytesKeepMost: whatever a policy makes of its capacity, fewer positions than that, whole chunks of them, or all of them in some layers,
// the capacity is the largest of all up to the prompt's length whose cache fits, which trying each finds, too.
func TestBytesKeepMost(t *testing.T) {
	const n = 230
	l := Layer{Layers: small.Layers, Tokens: n, Attention: engine.Attention{Heads: small.Heads}}
	for _, policy := range []string{
		"finch(cap=C,w=2,chunk=12)", "chunk(cap=C,chunk=24,snapkv(w=4))", "chunk(cap=C,chunk=230,snapkv(w=4))", "pyramid(cap=C,form=factory,snapkv(w=4))",
		"pyramid(cap=C,snapkv(w=4))", "ada(cap=C,form=factory,snapkv(w=4))", "ada(cap=C,pyramid(snapkv(w=4)))", "streaming(cap=C)",
		"snapkv(cap=C,w=4,gqa=query_head)", "random(cap=C,w=4)", "tova(cap=C)", "knorm(cap=C,skip=2)", "critical(cap=C,snapkv(w=4))", "lagkv(cap=C)",
	} {
		for _, name := range []string{"f16", "q8_0", "kivi2", "tq_4bit_nc_skip"} {
			for _, budget := range []string{"90%", "50%", "20%", "100", "400"} {
				v, err := Parse(strings.Replace(policy, "C", "bytes:"+budget, 1) + "+" + name)
				if err != nil {
					t.Fatal(err)
				}
				share, err := ParseBudget(budget)
				if err != nil {
					t.Fatal(err)
				}
				limit := int64(small.Layers*small.Heads.KV*share.At(0, n).Tokens) * cacheformat.Half.Bytes(1, small.Heads.Size)
				v = v.On(small)
				got, _ := v.Capacity(0, n)
				want := 0
				if share.At(0, n).Tokens > n { // everything, in one copy, whatever the policy does with less
					want = n
					if bytes, full := expectedBytes(v, l, small), expectedBytes(Full.In(v.format), l, small); bytes != full {
						t.Errorf("%s on %d tokens: %d bytes, want the full cache's %d", v, n, bytes, full)
					}
				}
				for c := n; c > 0 && want == 0; c-- {
					w, err := NewVariant(mustCall(t, policy, c), "")
					if err == nil && w.CheckPrompt(l) == nil && expectedBytes(w.In(v.format), l, small) <= limit {
						want = c
					}
				}
				if got != want {
					t.Errorf("%s on %d tokens: a capacity of %d, want %d", v, n, got, want)
				}
				if err := v.CheckPrompt(l); (err == nil) != (want > 0) {
					t.Errorf("%s on %d tokens: %v", v, n, err)
				}
			}
		}
	}
}

// TestBytesOfReaders: a policy that frees nothing is refused where its whole cache does not fit, in these words.
func TestBytesOfReaders(t *testing.T) {
	l := Layer{Layers: small.Layers, Tokens: 400, Attention: engine.Attention{Heads: small.Heads}}
	for format, ok := range map[string]bool{"f16": false, "q4_0": true} {
		v, err := Parse("quest(cap=bytes:50%)+" + format)
		if err != nil {
			t.Fatal(err)
		}
		v = v.On(small)
		err = v.CheckPrompt(l)
		if ok != (err == nil) || !ok && !strings.Contains(err.Error(), "quest frees nothing") {
			t.Errorf("%s: %v", v, err)
		}
		if c, _ := v.Capacity(0, 400); ok && c != 400 {
			t.Errorf("%s reads %d of 400", v, c)
		}
	}
}

// expectedBytes are the bytes that a variant's caches take, at most.
func expectedBytes(v Variant, l Layer, s Shape) (all int64) {
	for i := range l.Layers {
		l.Index = i
		e, f := v.Expect(l), s.Format(v.stored(), i)
		if e.PerHead > 0 {
			all += int64(e.Heads) * f.Bytes(e.PerHead, s.Heads.Size)
		} else {
			all += f.MostBytes(e.Most(), e.Heads, s.Heads.Size)
		}
	}
	return all
}
