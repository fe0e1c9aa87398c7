package compress

import (
	"slices"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
)

// The schedules that the originals came to for a prompt of 200 tokens and three
// layers, and those around their edges worked out by hand from the same formulas.
func TestPyramid(t *testing.T) {
	for _, c := range []struct {
		text           string
		layers, tokens int
		want           []int
	}{
		{"pyramid(cap=50%,snapkv(w=16))", 3, 200, []int{184, 100, 16}},                // first layer clamped
		{"pyramid(cap=31.25%,beta=5,snapkv(w=8))", 3, 200, []int{112, 62, 12}},        // 112.5, 62.5, 12.5: halves to even
		{"pyramid(cap=30%,beta=10,snapkv(w=8))", 3, 200, []int{60, 60, 60}},           // the last layer could not hold the window
		{"pyramid(cap=50%,snapkv(w=16))", 1, 200, []int{100}},                         // one layer has the mean
		{"pyramid(cap=64,form=factory,snapkv(w=16))", 3, 200, []int{110, 64, 18}},     // the window besides
		{"pyramid(cap=108,form=factory,snapkv(w=8))", 3, 200, []int{200, 108, 16}},    // clamped
		{"pyramid(cap=120,form=factory,snapkv(w=16))", 3, 200, []int{120, 120, 120}},  // n < 2·104
		{"pyramid(cap=120,form=ffy0,snapkv(w=16))", 3, 200, []int{200, 120, 40}},      // never uniform
		{"pyramid(cap=64,form=ffy0,snapkv(w=16))", 1, 200, []int{64}},                 // one layer has the mean
		{"pyramid(cap=120,form=ffy0,snapkv(w=16))", 3, 119, []int{119, 119, 119}},     // below the capacity: everything
		{"pyramid(cap=70,form=factory,beta=3,tova)", 4, 300, []int{116, 86, 56, 26}},  // base 69, 115 … 23, steps of 92/3 = 30
		{"pyramid(cap=30,form=factory,beta=100,snapkv(w=8))", 2, 200, []int{52, 8}},   // nothing but the window
		{"pyramid(cap=100|60,form=kvpress,snapkv(w=8))", 2, 200, []int{192, 60}},      // 8 in the last layer is its window; 3 is not
		{"pyramid(cap=100,form=kvpress|factory,snapkv(w=8))", 2, 200, []int{192, 12}}, // a form for each layer
	} {
		v, err := Parse(c.text)
		if err != nil {
			t.Fatal(err)
		}
		var got []int
		for i := range c.layers {
			got = append(got, v.Expect(Layer{Index: i, Layers: c.layers, Tokens: c.tokens, Attention: engine.Attention{Heads: engine.Heads{Query: 4, KV: 2, Size: 8}}}).PerHead)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s, %d layers, %d tokens: %v, want %v", c.text, c.layers, c.tokens, got, c.want)
		}
	}
}

// Whatever the prompt, no layer keeps less than its window or more than there is, and
// together they keep what the budget gives, but for rounding.
func TestPyramidKeepsTheBudget(t *testing.T) {
	const w = 8
	for _, form := range []string{kvpress, factoryForm, ffy0Form} {
		for _, layers := range []int{1, 2, 3, 7, 32} {
			for _, capacity := range []string{"9", "10", "40", "99", "100", "25%", "99%"} {
				v, err := Parse("pyramid(cap=" + capacity + ",form=" + form + ",snapkv(w=8))")
				if err != nil {
					t.Fatal(err)
				}
				for n := 100; n < 420; n += 7 {
					sum := 0
					for i := range layers {
						e := v.Expect(Layer{Index: i, Layers: layers, Tokens: n, Attention: engine.Attention{Heads: engine.Heads{Query: 1, KV: 1, Size: 8}}})
						if e.PerHead < w || e.PerHead > n {
							t.Errorf("%s, n=%d: layer %d of %d keeps %d", v, n, i, layers, e.PerHead)
						}
						sum += e.PerHead
					}
					// Rounding: half a position per layer; in whole numbers the step is rounded
					// down, which leaves up to one position per layer and step to its right.
					asked := layers * v.capacity(Layer{Tokens: n}).Tokens
					if most := layers + layers*(layers-1)/2; sum < asked-layers || sum > asked+most {
						t.Errorf("%s, n=%d: %d layers keep %d, want about %d", v, n, layers, sum, asked)
					}
				}
			}
		}
	}
}

func TestPyramidErrors(t *testing.T) {
	for in, want := range map[string]string{
		"pyramid(cap=64,beta=0)":                    `parameter beta "0": want a whole number, 1 or more`,
		"pyramid(cap=64,form=theirs)":               `parameter form "theirs": have kvpress, factory, ffy0`,
		"pyramid(cap=32)":                           "capacity 32 leaves nothing beside the window of 32",
		"pyramid(cap=64,recent)":                    "pyramid is built on a policy that scores positions one by one",
		"pyramid(cap=64,pyramid)":                   "not on another pyramid",
		"pyramid(cap=64,snapkv(cap=64))":            "snapkv inside of pyramid has no capacity of its own",
		"pyramid(snapkv)":                           "no capacity",
		"pyramid(cap=64,beta=5|6,snapkv(w=8|9|10))": "one list has 2 values, another 3",
	} {
		if v, err := Parse(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%q) = %v, %v; want an error with %q", in, v, err, want)
		}
	}
}

// With a window of 16 and the top layer's share a twentieth of the mean, the slope begins at a capacity of 320.
func TestLevel(t *testing.T) {
	for text, want := range map[string]string{
		"pyramid(snapkv(w=16),cap=319)":         "pyramid",
		"pyramid(snapkv(w=16),cap=321)":         "",
		"ada(pyramid(snapkv(w=16)),cap=319)":    "pyramid",
		"ada(pyramid(snapkv(w=16)),cap=321)":    "",
		"pyramid(snapkv(w=16),beta=5,cap=319)":  "",
		"pyramid(snapkv(w=16),beta=5,cap=25%)":  "",
		"pyramid(snapkv(w=16),beta=5,cap=2.5%)": "pyramid",
		"snapkv(w=16,cap=319)":                  "",
		"full":                                  "",
	} {
		v, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := v.Level(8, 2048); got != want {
			t.Errorf("%s: %q is level, want %q", text, got, want)
		}
		if v.Level(1, 2048) != "" {
			t.Errorf("%s: a single layer has no slope", text)
		}
	}
}
