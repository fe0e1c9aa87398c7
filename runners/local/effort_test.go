package local

import (
	"testing"

	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/models"
)

// Reading costs what its operations say, decoding what its tokens and caches do; rows that followers double cost twice, less
// what they share.
func TestEffort(t *testing.T) {
	m := tinyOn(t, newCPU(t))
	e := New(m, func([]int32) string { return "" })
	full, small := runners.VariantsOf(variants(t, "full")), runners.VariantsOf(variants(t, "snapkv(cap=64,w=8)"))
	of := func(tokens, most int, v []runners.Variant, twice bool) runners.Effort {
		return e.Effort(tokens, most, v, twice)
	}
	a, b := of(1000, 10, full, false), of(4000, 10, full, false)
	p1, a1 := m.PrefillOperations(1000, models.Part{})
	p4, a4 := m.PrefillOperations(4000, models.Part{})
	if got, want := b.Reading/a.Reading, (p4+a4)/(p1+a1); got < want*0.999 || got > want*1.001 {
		t.Errorf("4000 tokens cost %v of 1000: want %v", got, want)
	}
	if twice := of(1000, 20, full, false); twice.Decoding < 1.999*a.Decoding || twice.Decoding > 2.1*a.Decoding {
		t.Errorf("twice the tokens cost %v, once %v", twice.Decoding, a.Decoding)
	}
	if s := of(4000, 10, small, false); s.Decoding >= b.Decoding || s.Reading != b.Reading {
		t.Errorf("a small cache costs %+v, the full one %+v", s, b)
	}
	if f := of(4000, 10, full, true); f.Decoding < 1.5*b.Decoding || f.Decoding > 2.5*b.Decoding {
		t.Errorf("with followers %+v, without %+v", f, b)
	}
}
