package cuda

import (
	"math"

	"github.com/snapbench/snapbench/runners/engine"
)

// rowsAlike is the most rows that this package's own 16-bit products take in a decoding step; beyond, cuBLAS multiplies.
const rowsAlike = 64

// RowsAlike is the most rows of a step whose bits do not depend on their company.
func (d *Device) RowsAlike() int {
	if d.kind == engine.Float32 {
		return math.MaxInt
	}
	return rowsAlike
}
