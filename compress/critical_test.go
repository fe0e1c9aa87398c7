package compress

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
)

func TestCriticalParses(t *testing.T) {
	for in, want := range map[string]string{
		"critical(cap=64)":                        "critical(cap=64,epsilon=0.0001,first=0.5,snapkv(w=32,k=7,pool=max,gqa=kv_head_mean))",
		"critical(cap=64,ada(tova),epsilon=1e-3)": "critical(cap=64,epsilon=0.001,first=0.5,ada(form=kvpress,alpha=0.2,normalize=off,tova))",
		"critical(cap=64,ada(pyramid(snapkv(w=8,k=5,pool=avg,gqa=kvpress))))": "critical(cap=64,epsilon=0.0001,first=0.5,ada(form=kvpress,alpha=0.2,normalize=off,pyramid(form=kvpress,beta=20,snapkv(w=8,k=5,pool=avg,gqa=kvpress))))",
	} {
		v, err := Parse(in)
		if err != nil || v.String() != want {
			t.Errorf("Parse(%q) = %v, %v; want %s", in, v, err, want)
		} else if again, err := Parse(v.String()); err != nil || again.String() != want {
			t.Errorf("%s reads back as %v, %v", v, again, err)
		}
	}
	for in, want := range map[string]string{
		"critical(cap=64,ada(form=factory))":      "critical is built on ada(form=kvpress), not on form factory",
		"critical(cap=64,ada(form=kvpress|ffy0))": "critical is built on ada(form=kvpress), not on form ffy0",
		"critical(cap=64,recent)":                 "critical is built on a policy that scores positions one by one",
		"critical(cap=64,first=-1)":               `parameter first "-1": want a number from 0 to 1`,
		"critical(cap=64,epsilon=Inf)":            `parameter epsilon "Inf": want a number from 0 to 1`,
		"critical(cap=32)":                        "capacity 32 leaves nothing beside the window of 32",
		"critical(cap=32,ada)":                    "capacity 32 leaves nothing beside the window of 32",
		"critical(cap=64,ada(normalize=on))":      "normalize=on is of form=factory",
		"critical(cap=64,critical)":               "critical is built on a policy that scores positions one by one",
	} {
		if v, err := Parse(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%q) = %v, %v; want an error with %q", in, v, err, want)
		}
	}
}

// A first stage smaller than the window leaves some of it to the second, and then
// nothing can be expected of it.
func TestCriticalExpects(t *testing.T) {
	l := Layer{Layers: 1, Tokens: 100, Attention: engine.Attention{Heads: engine.Heads{Query: 4, KV: 2, Size: 4}}}
	for in, want := range map[string]Expectation{
		"critical(cap=40,snapkv(w=8))":                          {Heads: 2, PerHead: 40, Total: 80, Tail: 8},
		"critical(cap=40,first=0.2,snapkv(w=8))":                {Heads: 2, PerHead: 40, Total: 80, Tail: 8},
		"critical(cap=40,first=0.19,snapkv(w=8))":               {Heads: 2, PerHead: 40, Total: 80},
		"critical(cap=40,snapkv(w=8,gqa=query_head))":           {Heads: 4, PerHead: 40, Total: 160, Tail: 8},
		"critical(cap=40,ada(alpha=0.2,snapkv(w=8)))":           {Heads: 2, Total: 80, Tail: 8}, // the safeguard of 8 is the window
		"critical(cap=40,first=0.9,ada(alpha=0.1,snapkv(w=8)))": {Heads: 2, Total: 80},
		"critical(cap=40,first=1,ada(alpha=0,snapkv(w=8)))":     {Heads: 2, Total: 80, Tail: 8},
		"critical(cap=100,snapkv(w=8))":                         {Heads: 2, PerHead: 100, Total: 200, Tail: 8},
	} {
		v, err := Parse(in)
		if err != nil {
			t.Fatal(err)
		}
		if got := v.Expect(l); got != want {
			t.Errorf("%s: %+v, want %+v", in, got, want)
		}
		if n := v.Needs(l); !n.Output || n.Window != 8 {
			t.Errorf("%s needs %+v", in, n)
		}
	}
}

func TestCriticalWeighs(t *testing.T) {
	row := []float32{.5, .25, .25, 0, .75}
	weigh(row, []float32{2, 4, 1, 8, 1}, 2, .5)
	if want := []float32{math.MaxFloat32, 3, .75, 4, math.MaxFloat32}; !slices.Equal(row, want) {
		t.Errorf("%v, want %v", row, want)
	}
}

// chosenOf is ops of given scores, which only copies them.
type chosenOf struct {
	Ops
	rows [][]float32
}

func (o chosenOf) Read(Scores) [][]float32 { return o.rows }

// kvpress gives what is always kept one more than the highest mean of all heads.
func TestProtected(t *testing.T) {
	g := given{[][]float32{{8, 4, 2}, {1, 1, 6}}, 1, 2}
	got := protected(chosenOf{rows: g.rows}, Layer{Tokens: 5}, summed{g}, Scores{Rows: 2})
	want := [][]float32{{2.5, 1, .5, 2.5, 2.5}, {2.5, .25, 1.5, 2.5, 2.5}}
	if !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("%v, want %v", got, want)
	}
}

type summed struct{ given }

func (summed) Summands(Layer) int { return 4 }
