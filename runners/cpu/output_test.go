package cpu

import (
	"math"
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
)

// TestArgMaxPieces: the first of the highest wins wherever the pieces lie into which long rows are cut, and one number that
// is not finite spoils its row and no other.
func TestArgMaxPieces(t *testing.T) {
	const vocab = 40003
	for _, k := range available() {
		d := open(k, 2)
		logits, err := d.New(engine.Float32, 2*vocab)
		if err != nil {
			t.Fatal(err)
		}
		ids, err := d.New(engine.Int32, 2)
		if err != nil {
			t.Fatal(err)
		}
		v := f32("test", logits)
		for i := range v {
			v[i] = -3 - float32(i%5)
		}
		check := func(what string, want ...int32) {
			t.Helper()
			d.ArgMax(ids, logits)
			for i, id := range i32("test", ids) {
				if id != want[i] {
					t.Errorf("%s, %s: row %d chooses %d, want %d", k.name, what, i, id, want[i])
				}
			}
		}
		check("equals in every piece", 0, 2) // the second row begins with -6 and -7
		for _, at := range []int{0, 16383, 16384, 32768, vocab - 4, vocab - 1} {
			was := v[at]
			v[at], v[vocab+vocab-1] = -1, -1
			check("one is highest", int32(at), vocab-1)
			for _, broken := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
				v[at] = float32(broken)
				check("one is not finite", -1, vocab-1)
			}
			v[at] = was
		}
		d.Free(logits, ids)
		d.Close()
	}
}
