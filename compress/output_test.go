package compress

import (
	"math"
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
)

// TestOutputNorms holds what is made of the device's operations, in blocks of which the
// last is short, to the sum it stands for.
func TestOutputNorms(t *testing.T) {
	h := engine.Heads{Query: 4, KV: 2, Size: 4}
	d, s, l := wave(t, h, outputBlock+6)
	var stored output
	for i := range 5 {
		row := make([]float32, h.Query*h.Size)
		for c := range row {
			row[c] = engine.RandomValue(uint64(i), uint64(c), 1)
		}
		stored = append(stored, row)
	}
	var err error
	if s.Output, err = d.LoadWeight([]engine.Stored{stored}, nil); err != nil {
		t.Fatal(err)
	}
	s.Width = len(stored)
	o := opsOn(l)
	o.device, o.source = d, s
	got, values := o.Read(o.OutputNorms()), o.Values()
	for a, norms := range got {
		for j, norm := range norms {
			want := 0.0
			for _, row := range stored {
				want += math.Abs(dot(row[a*h.Size:(a+1)*h.Size], vector(values[a/h.Group()], j, h.Size)))
			}
			if !(math.Abs(float64(norm)-want) <= 1e-5*want) {
				t.Fatalf("head %d, position %d: %g, want %g", a, j, norm, want)
			}
		}
	}
	if o.err != nil {
		t.Fatal(o.err)
	}
}
