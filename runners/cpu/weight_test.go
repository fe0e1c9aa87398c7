package cpu

import (
	"math/rand/v2"
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/enginetest"
)

// What a weight will take is known before it is read: all of it where the rows fill
// their panels, less only by the padding elsewhere.
func TestWeightBytes(t *testing.T) {
	d := open(goKernels, 1)
	defer d.Close()
	rng := rand.New(rand.NewPCG(1, 2))
	for _, s := range enginetest.Storages {
		for _, rows := range []int{d.k.panelWidth, 2*d.k.panelWidth + 3} {
			m := enginetest.Random("w", s, rows, 256, rng)
			w, err := d.LoadWeight([]engine.Stored{m}, nil)
			if err != nil {
				t.Fatal(err)
			}
			padded := (rows + d.k.panelWidth - 1) / d.k.panelWidth * d.k.panelWidth
			if want := w.Bytes() * int64(rows) / int64(padded); d.WeightBytes(m) != want {
				t.Errorf("%s, %d rows: %d bytes foretold, want %d", s, rows, d.WeightBytes(m), want)
			}
			d.FreeWeight(w)
		}
	}
}
