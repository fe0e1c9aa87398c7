package enginetest

import (
	"slices"
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/ref"
)

// TestReferenceSelectCounts: rows of several lengths and protected positions, by eye.
func TestReferenceSelectCounts(t *testing.T) {
	b := newBench(t, ref.New())
	src := b.in32([]float32{
		0, 5, 1, 5, 2,
		9, 8, 7, 6, 5,
		-1, -2, 3, 3, 4,
	})
	for _, c := range []struct {
		ask  engine.Selection
		want []int32
	}{
		{engine.Selection{Count: 2, Head: 1}, []int32{0, 1, 0, 1, 0, 4}},
		{engine.Selection{Count: 2, Head: 3, Tail: 1}, []int32{0, 1, 5, 0, 1, 5, 0, 1, 5}},
		{engine.Selection{Counts: []int{1, 0, 3}, Tail: 2}, []int32{1, 5, 6, 5, 6, 2, 3, 4, 5, 6}},
		{engine.Selection{Counts: []int{3, 2, 4}, Head: 2}, []int32{0, 1, 3, 0, 1, 0, 1, 2, 4}},
	} {
		c.ask.Rows = 3
		dst := b.outInts(c.ask.Len())
		c.ask.Scores, c.ask.Dst = src.dev, dst.dev
		b.dev.Select([]engine.Selection{c.ask})
		if got := b.getInts(dst.dev); !slices.Equal(got, c.want) {
			t.Errorf("%+v: %v, want %v", c.ask, got, c.want)
		}
	}
}
