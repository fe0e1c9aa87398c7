package emulator

import "math/bits"

// number is what a register holds for a lane.
type number interface{ uint32 | uint64 }

// apply1, apply2 and apply3 set each lane of mask to f of the lane's operands. A full mask is
// a plain loop; otherwise they go through the bits of the mask.

func apply1[D, A number](d *[lanes]D, a *[lanes]A, f func(A) D, mask uint32) {
	if mask == all {
		for l := range lanes {
			d[l] = f(a[l])
		}
		return
	}
	for m := mask; m != 0; m &= m - 1 {
		l := bits.TrailingZeros32(m) & 31
		d[l] = f(a[l])
	}
}

func apply2[D, A, B number](d *[lanes]D, a *[lanes]A, b *[lanes]B, f func(A, B) D, mask uint32) {
	if mask == all {
		for l := range lanes {
			d[l] = f(a[l], b[l])
		}
		return
	}
	for m := mask; m != 0; m &= m - 1 {
		l := bits.TrailingZeros32(m) & 31
		d[l] = f(a[l], b[l])
	}
}

func apply3[D, A, B, C number](d *[lanes]D, a *[lanes]A, b *[lanes]B, c *[lanes]C, f func(A, B, C) D, mask uint32) {
	for m := mask; m != 0; m &= m - 1 {
		l := bits.TrailingZeros32(m) & 31
		d[l] = f(a[l], b[l], c[l])
	}
}

// convertLanes is apply1 with a function of 64 bits.
func convertLanes[D, A number](d *[lanes]D, a *[lanes]A, f long1, mask uint32) {
	for m := mask; m != 0; m &= m - 1 {
		l := bits.TrailingZeros32(m) & 31
		d[l] = D(f(uint64(a[l])))
	}
}

// chooseLanes takes a where the lane's bit of p is set, else b.
func chooseLanes[T number](d, a, b *[lanes]T, p, mask uint32) {
	for m := mask; m != 0; m &= m - 1 {
		l := bits.TrailingZeros32(m) & 31
		if p>>l&1 != 0 {
			d[l] = a[l]
		} else {
			d[l] = b[l]
		}
	}
}

// compareLanes returns the bits of the lanes for which f holds.
func compareLanes[T number](a, b *[lanes]T, f func(x, y T) bool, mask uint32) (v uint32) {
	for m := mask; m != 0; m &= m - 1 {
		l := bits.TrailingZeros32(m) & 31
		if f(a[l], b[l]) {
			v |= 1 << l
		}
	}
	return v
}
