package runners

import (
	"math"
	"testing"

	"github.com/snapbench/snapbench/results"
)

// What was compared at each token is summed up over the answer and within each of its parts,
// whose tokens are counted from the answer's first, also where comparing begins later.
func TestNewFidelity(t *testing.T) {
	const first, n = 1, 40
	kl, agrees := make([]float64, n), make([]bool, n)
	for i := range kl {
		kl[i], agrees[i] = float64(first+i), (first+i)%4 != 0 // at token 5: 5 nats; at every fourth another choice
	}
	f := NewFidelity(first, kl, agrees)
	if f.Tokens != n || f.KLMean != 20.5 || f.KLP99 != 40 || f.Agreement != 0.75 || f.FirstDivergence != 4 {
		t.Errorf("%+v", f)
	}
	want := []FidelityPart{ // tokens 1 to 7, 8 to 31, 32 to 40
		{Tokens: 7, KL: 4, Agreement: 6. / 7}, {Tokens: 24, KL: 19.5, Agreement: 0.75}, {Tokens: 9, KL: 36, Agreement: 6. / 9},
	}
	if len(f.Parts) != len(want) {
		t.Fatalf("%d parts: %+v", len(f.Parts), f.Parts)
	}
	sum := 0.0
	for i, p := range f.Parts {
		if w := want[i]; p.Tokens != w.Tokens || math.Abs(p.KL-w.KL) > 1e-12 || math.Abs(p.Agreement-w.Agreement) > 1e-12 {
			t.Errorf("tokens %s: %+v, want %+v", p.AnswerPart, p, w)
		}
		sum += p.KL * float64(p.Tokens)
	}
	if math.Abs(sum/n-f.KLMean) > 1e-12 {
		t.Errorf("the parts' mean is %v, the whole's %v", sum/n, f.KLMean)
	}
	var r results.Row
	for _, p := range f.Parts {
		p.Set(&r, p.KL, p.Agreement)
	}
	if *r.KLAt0 != 4 || *r.KLAt8 != 19.5 || *r.KLAt32 != 36 || r.KLAt128 != nil || *r.Top1At8 != 0.75 || r.Top1At128 != nil {
		t.Errorf("a row with %v, %v, %v, %v", r.KLAt0, r.KLAt8, r.KLAt32, r.KLAt128)
	}
	if long := NewFidelity(0, make([]float64, 300), make([]bool, 300)); len(long.Parts) != 4 || long.Parts[3].Tokens != 172 || long.FirstDivergence != 0 {
		t.Errorf("of 300 tokens: %+v", long.Parts)
	}
}
