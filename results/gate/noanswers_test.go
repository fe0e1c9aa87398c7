package gate

import (
	"strings"
	"testing"

	"github.com/snapbench/snapbench/results"
)

// Rows without answers have no score and no error; a gate over them is refused with the reason.
func TestGateWithoutAnswers(t *testing.T) {
	set := drops(4, 0, "a")
	for i := range set.Rows {
		set.Rows[i].Score, set.Rows[i].Metric = nil, results.NoMetric
	}
	if _, err := Variants(set, "full", onSet(1)); err == nil || !strings.Contains(err.Error(), noAnswers) {
		t.Errorf("%v", err)
	}
	if _, err := Runs(set, set, onSet(1)); err == nil || !strings.Contains(err.Error(), noAnswers) {
		t.Errorf("%v", err)
	}
}
