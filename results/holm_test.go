package results

import (
	"fmt"
	"testing"
)

func TestHolm(t *testing.T) {
	got := fmt.Sprintf("%.3f", Holm([]float64{0.01, 0.04, 0.03, 0.005}))
	if want := "[0.030 0.060 0.060 0.020]"; got != want { // Holm's own example of four
		t.Errorf("%s, want %s", got, want)
	}
}
