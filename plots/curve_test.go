package plots

import "testing"

func TestCurves(t *testing.T) {
	needle, lb := needleSet(), longbenchSet(20)
	for _, c := range []struct {
		m   string
		set int
	}{{"recalled", 0}, {"kl_mean", 0}, {"score", 1}} {
		set := needle
		if c.set == 1 {
			set = lb
		}
		figs, err := Curves(set, measure(c.m))
		if err != nil {
			t.Fatal(err)
		}
		look(t, figs)
	}
	for _, a := range []Axes{
		{X: "length", Y: "recalled", Facet: "kernel", Series: "budget"},
		{X: "kl_mean", Y: "recalled", Facet: "pooling"},
		{X: "budget", Y: "score", Facet: "task", Series: "kernel"},
		{X: "variant", Y: "decode_seconds"},
	} {
		set := needle
		if a.Facet == "task" {
			set = lb
		}
		f, err := XY(set, a)
		if err != nil {
			t.Fatal(err)
		}
		look(t, []Figure{f})
	}
}
