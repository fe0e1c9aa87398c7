package cacheformat

import "math"

// butterfly multiplies blocks of x by the unnormalised Hadamard matrix in Sylvester's order,
// in place.
func butterfly(x []float32, block int) {
	for at := 0; at < len(x); at += block {
		b := x[at : at+block]
		for stride := 1; stride < block; stride *= 2 {
			for i := 0; i < block; i += 2 * stride {
				for j := i; j < i+stride; j++ {
					p, q := b[j], b[j+stride]
					b[j], b[j+stride] = p+q, p-q
				}
			}
		}
	}
}

// hadamard multiplies blocks of x by the orthonormal Hadamard matrix, which is its own inverse.
func hadamard(x []float32, block int) {
	butterfly(x, block)
	f := float32(1 / math.Sqrt(float64(block)))
	for i := range x {
		x[i] *= f
	}
}

// powerOfTwo is the largest that divides n.
func powerOfTwo(n int) int { return n & -n }
