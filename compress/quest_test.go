package compress

import (
	"slices"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
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

// A variant reads pages for each query head, of the head that it shares, and of those that
// a sliding window hides only in part the visible rest.
func TestQuestReads(t *testing.T) {
	v, err := Parse("quest(cap=25%,page=2,recent=1)")
	if err != nil {
		t.Fatal(err)
	}
	// Heads of one number: a page's bound is its largest key for the first query, its
	// least for the second. Two positions follow the prompt's 12, of which the share is 3.
	l := Layer{Layers: 1, Tokens: 12, Attention: engine.Attention{Heads: engine.Heads{Query: 4, KV: 2, Size: 1}}}
	queries := [][]float32{{1}, {-1}, {1}, {-1}}
	keys := [][]float32{{0, 0, 9, 0, 0, -8, 0, 0, 7, 0, -6, 0, 5, 0}, {0, 0, 0, 0, 0, 0, -1, 1, 0, 0, 0, 0, -2, 4}}
	for _, c := range []struct {
		sliding int
		want    [][]int32
	}{
		// The last page, 12, is short: two pages are taken, and of them the first two positions.
		{0, [][]int32{{2, 3, 13}, {4, 5, 13}, {0, 1, 13}, {6, 7, 13}}},
		{9, [][]int32{{8, 9, 13}, {5, 13}, {5, 13}, {6, 7, 13}}}, // 5 … 13 are seen, the first page is 4 and 5
	} {
		l.Window = c.sliding
		if got := v.Read(l, queries, keys); !slices.EqualFunc(got, c.want, slices.Equal[[]int32]) {
			t.Errorf("sliding window %d: reads %v, want %v", c.sliding, got, c.want)
		}
	}
}

func TestQuestChecks(t *testing.T) {
	for text, want := range map[string]string{
		"quest(cap=8)":           "capacity 8 leaves nothing beside the latest 8 positions",
		"quest(cap=64,page=0)":   "want a whole number, 1 or more",
		"quest(cap=64,recent=0)": "want a whole number, 1 or more",
		"quest(cap=64,snapkv)":   "is not built on another",
	} {
		if _, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	for n, whole := range map[int]bool{63: true, 64: true, 65: false} {
		if v, err := Parse("quest(cap=64)"); err != nil || v.KeepsAll(2, n) != whole {
			t.Errorf("%d tokens: all are read: %t (%v)", n, !whole, err)
		}
	}
}
