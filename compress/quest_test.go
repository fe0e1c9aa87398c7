package compress

import (
	"slices"
	"testing"
)

func TestQuest(t *testing.T) {
	q := Quest{Page: 2, Recent: 1, Budget: 4}
	// Five keys before the recent one, in pages of two: bounds (-1…2, 0…5), (3…4, -2…1), 7 and 7.
	keys := []float32{-1, 5, 2, 0, 3, 1, 4, -2, 7, 7, 100, 100}
	if got, want := q.Scores([]float32{1, -1}, keys), []float32{2, 6, 0}; !slices.Equal(got, want) {
		t.Errorf("scores %v, want %v", got, want)
	}
	for _, c := range []struct {
		q      Quest
		scores []float32
		n      int
		want   []int32
	}{
		{Quest{2, 1, 3}, []float32{1, 3, 2}, 6, []int32{2, 3, 5}},          // one page more for the short one, then cut
		{Quest{2, 1, 3}, []float32{1, 2, 3}, 6, []int32{2, 3, 5}},          // the short page is highest, and what is cut
		{Quest{2, 1, 4}, []float32{3, 1, 2}, 6, []int32{0, 1, 2, 5}},       // all three pages
		{Quest{2, 2, 4}, []float32{1, 3}, 6, []int32{2, 3, 4, 5}},          // no short page
		{Quest{2, 2, 5}, []float32{1, 1, 1}, 8, []int32{0, 1, 2, 6, 7}},    // ties to the first, half of a page
		{Quest{2, 4, 3}, []float32{1, 2}, 7, []int32{4, 5, 6}},             // no room beside the recent ones
		{Quest{2, 0, 2}, []float32{1, 2, 3}, 6, []int32{4, 5}},             // none of them recent
		{Quest{2, 1, 6}, []float32{1, 2, 3}, 6, []int32{0, 1, 2, 3, 4, 5}}, // room for all
	} {
		if got := c.q.Select(c.scores, c.n); !slices.Equal(got, c.want) {
			t.Errorf("%+v of %v: %v, want %v", c.q, c.scores, got, c.want)
		}
	}
}
