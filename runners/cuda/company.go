package cuda

import (
	"math"

	"github.com/snapbench/snapbench/runners/engine"
)

// rowsAlike is the most rows that this package's own 16-bit products take in a decoding step; beyond, cuBLAS multiplies.
const rowsAlike = 64

// RowsAlike is the most rows of a step whose bits do not depend on their company.
func (d *Device) RowsAlike() int { return RowsAlike(d.kind) }

// RowsAlike is that number in an element type.
func RowsAlike(t engine.Type) int {
	if t == engine.Float32 {
		return math.MaxInt
	}
	return rowsAlike
}

// BlockTokens is how many tokens of a prompt go through a layer at a time. With so many,
// large products run at their full rate, and the attention of 32 heads is 66·32 tiles of
// 128 queries: exactly 16 for each of 132 multiprocessors.
const BlockTokens = 66 * 128
