package results

import (
	"slices"
	"testing"

	"github.com/snapbench/snapbench/runners/sharedtest"
)

// The labels of recorded answers of SmolLM2-135M, by the least ρ of the value's digits: how far each label is from those
// that came out right, which the limits were set by.
func TestLabelsOfRecordedAnswers(t *testing.T) {
	var prompts []struct {
		Full     bool
		Answer   []int32
		Variants map[string]struct {
			Got int
			Rho []float64
		}
	}
	sharedtest.JSON(t, sharedtest.Path(t, "observe", "labels.json"), &prompts)
	wrong, right, lost := map[string]int{}, map[string]int{}, 0
	for _, p := range prompts {
		for _, v := range p.Variants {
			if !p.Full || len(v.Rho) == 0 {
				continue
			}
			label := EvidenceLabel(slices.Min(v.Rho))
			if v.Got < len(p.Answer) {
				wrong[label]++
				lost++
			} else {
				right[label]++
			}
		}
	}
	t.Logf("of %d wrong answers: %v; of the right ones: %v", lost, wrong, right)
	if lost == 0 {
		t.Fatal("nothing was compared")
	}
	if rate := func(label string) float64 { return float64(wrong[label]) / float64(wrong[label]+right[label]) }; !(rate(Evicted) > rate(Thinned) && rate(Thinned) > rate(Unused)) {
		t.Errorf("wrong of %s %.2f, of %s %.2f, of %s %.2f", Evicted, rate(Evicted), Thinned, rate(Thinned), Unused, rate(Unused))
	}
	if float64(wrong[Evicted])/float64(lost) < 0.5 || float64(wrong[Unused])/float64(lost) > 0.25 {
		t.Errorf("of %d wrong answers %d are %s, %d %s", lost, wrong[Evicted], Evicted, wrong[Unused], Unused)
	}
}
