package plots

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/snapbench/snapbench/results"
)

func TestLengthCurves(t *testing.T) {
	set := results.Set{Run: results.Run{Variants: []string{"full", "64"}, Ladders: []results.Ladder{{Name: "ruler", Tasks: []string{"a", "b"}, Enough: 85.6}}}}
	for _, task := range []string{"a", "b"} {
		for _, v := range set.Run.Variants {
			for _, length := range []int{1024, 4096} {
				for i := range 3 {
					score := float64(i) / 4
					set.Rows = append(set.Rows, results.Row{ID: fmt.Sprint(task, v, length, i), Task: task, Variant: v, Policy: v, Sample: fmt.Sprint(length, i), Length: &length, Score: &score})
				}
			}
		}
	}
	figures, err := LengthCurves(set)
	if err != nil || len(figures) != 1 || figures[0].Name != "length_score" {
		t.Fatalf("%+v, %v", figures, err)
	}
	text := texts(figures[0].SVG())
	for _, want := range []string{"average of 2", "a", "b", "1K", "4K", "full", "64", "Prompt and answer (tokens)"} {
		if !slices.Contains(text, want) {
			t.Errorf("the picture lacks the text %q", want)
		}
	}
	set.Run.Ladders = nil
	if _, err := LengthCurves(set); !errors.Is(err, ErrNothing) {
		t.Errorf("without tasks asked by length: %v", err)
	}
}
