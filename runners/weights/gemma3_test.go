package weights

import (
	"math"
	"testing"

	"github.com/snapbench/snapbench/runners/sharedtest"
)

// TestGemma3 compares a tensor of each type in the real file with its values as gguf-py reads them.
func TestGemma3(t *testing.T) {
	f, err := Open(sharedtest.Gemma3(t))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var tensors []struct {
		Tensor string    `json:"tensor"`
		Type   string    `json:"type"`
		First  []float32 `json:"first"`
		Last   []float32 `json:"last"`
		Sum    float64   `json:"sum"`
		Square float64   `json:"sum_of_squares"`
	}
	sharedtest.JSON(t, sharedtest.Path(t, "gemma3", "dequant.json"), &tensors)
	if len(tensors) == 0 {
		t.Fatal("no tensors are recorded")
	}
	for _, want := range tensors {
		x, err := f.Tensor(want.Tensor)
		if err != nil {
			t.Fatal(err)
		}
		values, err := x.Floats()
		if err != nil || x.DType() != want.Type {
			t.Errorf("%s is %s (%v), want %s", want.Tensor, x.DType(), err, want.Type)
			continue
		}
		for i, v := range want.First {
			if values[i] != v {
				t.Errorf("%s: value %d is %v, want %v", want.Tensor, i, values[i], v)
			}
		}
		for i, v := range want.Last {
			if at := len(values) - len(want.Last) + i; values[at] != v {
				t.Errorf("%s: value %d is %v, want %v", want.Tensor, at, values[at], v)
			}
		}
		sum, square := 0.0, 0.0
		for _, v := range values {
			sum, square = sum+float64(v), square+float64(v)*float64(v)
		}
		if !(math.Abs(sum-want.Sum) <= 1e-9*want.Square) || !(math.Abs(square-want.Square) <= 1e-9*want.Square) {
			t.Errorf("%s: sums %v and %v, want %v and %v", want.Tensor, sum, square, want.Sum, want.Square)
		}
	}
	t.Logf("%d tensors", len(tensors))
}
