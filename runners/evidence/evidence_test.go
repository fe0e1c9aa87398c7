package evidence

import (
	"fmt"
	"math"
	"testing"
)

// Two layers with two cache heads of two query heads each, counted by hand.
func TestSum(t *testing.T) {
	spans := []Span{{3, 5}, {8, 9}}
	var held [][]bool
	for _, keep := range [][]int32{{0, 3, 4, 7, 8}, {2, 4, 9}, {0, 1}, {5, 9, 10}} {
		held = append(held, Held(spans, keep))
	}
	if got := fmt.Sprint(held); got != "[[true true true] [false true false] [false false false] [false false false]]" {
		t.Fatalf("held %s", got)
	}
	s := NewSum(Size(spans))
	counts, any := s.Add(held[:2], [][]float64{{1, 2, 0}, {1, 0, 0}, {4, 3, 0}, {0, 1, 0}})
	if fmt.Sprint(counts, any) != "[3 1] 3" {
		t.Errorf("counts %v, of any head %d", counts, any)
	}
	counts, any = s.Add(held[2:], [][]float64{{1, 0, 0}, {1, 0, 0}, {0, 2, 0}, {0, 2, 0}})
	if fmt.Sprint(counts, any) != "[0 0] 0" {
		t.Errorf("counts %v, of any head %d", counts, any)
	}
	k := s.Kept()
	want := Kept{Retention: (1 + 1./3) / 4, GERLayers: 0.5, GERModel: 0, GoneLayers: 1, WholeHeads: 1, Rho: []Share{2. / 8, 6. / 10, Share(math.NaN())}}
	if fmt.Sprintf("%.6v", k) != fmt.Sprintf("%.6v", want) {
		t.Errorf("%+v, want %+v", k, want)
	}
	if !math.IsNaN(float64(k.Least())) || float64(k.Any()) != 0.5 || s.Attention() != 6 {
		t.Errorf("least %v, any %v, attention %v", k.Least(), k.Any(), s.Attention())
	}
	k.Rho = k.Rho[:2]
	if k.Least() != 0.25 {
		t.Errorf("least %v", k.Least())
	}
	// Without attention everything but ρ is the same.
	s = NewSum(Size(spans))
	s.Add(held[:2], nil)
	s.Add(held[2:], nil)
	if blind := s.Kept(); blind.Retention != want.Retention || blind.GoneLayers != 1 || !math.IsNaN(float64(blind.Least())) {
		t.Errorf("%+v", blind)
	}
}

func TestUnion(t *testing.T) {
	list := Union([]Span{{8, 9}, {1, 3}, {2, 5}, {5, 6}, {2, 3}})
	if fmt.Sprint(list) != "[[1 6] [8 9]]" || Size(list) != 6 {
		t.Errorf("%v", list)
	}
	if w := Within(list, Span{8, 9}); w != (Span{5, 6}) {
		t.Errorf("%v", w)
	}
	if w := Within(list, Span{2, 3}); w != (Span{1, 2}) {
		t.Errorf("%v", w)
	}
}
