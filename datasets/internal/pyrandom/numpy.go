package pyrandom

import (
	"fmt"
	"math/bits"
)

// NumPy is numpy.random.RandomState, and what numpy.random.seed resets. It is not safe for
// concurrent use.
type NumPy struct{ t twister }

// NewNumPy is numpy.random.RandomState(seed).
func NewNumPy(seed uint32) *NumPy {
	r := &NumPy{}
	r.t.seed(seed)
	return r
}

// Position is [Random.Position].
func (r *NumPy) Position() int { return r.t.position() }

// Skip is [Random.Skip].
func (r *NumPy) Skip(n int) { r.t.skip(n) }

// Integer is randint(low, high): uniform in [low, high), of fewer than 2^32 numbers.
func (r *NumPy) Integer(low, high int) int {
	if high <= low || uint64(high-low) > 1<<32-1 {
		panic(fmt.Sprintf("pyrandom: random integer from %d to below %d", low, high))
	}
	last := uint32(high - low - 1)
	if last == 0 { // draws nothing
		return low
	}
	mask := uint32(1)<<bits.Len32(last) - 1
	for {
		if v := r.t.uint32() & mask; v <= last {
			return low + int(v)
		}
	}
}
