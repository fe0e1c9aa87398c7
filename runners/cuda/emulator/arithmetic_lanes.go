package emulator

import "math/bits"

func execMasks(w *warp, i *instruction, mask uint32) {
	v := i.f.(masks)(w.p[i.a], w.p[i.b])
	w.p[i.d] = w.p[i.d]&^mask | v&mask
}

func execWord1(w *warp, i *instruction, mask uint32) {
	apply1(&w.r[i.d], &w.r[i.a], i.f.(word1), mask)
}

func execWord2(w *warp, i *instruction, mask uint32) {
	apply2(&w.r[i.d], &w.r[i.a], &w.r[i.b], i.f.(word2), mask)
}

func execWord3(w *warp, i *instruction, mask uint32) {
	apply3(&w.r[i.d], &w.r[i.a], &w.r[i.b], &w.r[i.c], i.f.(word3), mask)
}

func execInsert(w *warp, i *instruction, mask uint32) {
	d, a, b, c, e := &w.r[i.d], &w.r[i.a], &w.r[i.b], &w.r[i.c], &w.r[i.list[0]]
	for m := mask; m != 0; m &= m - 1 {
		l := bits.TrailingZeros32(m) & 31
		position, length := c[l]&255, e[l]&255
		field := uint32((uint64(1)<<min(length, 32) - 1) << position)
		d[l] = b[l]&^field | a[l]<<position&field
	}
}

func execLong1(w *warp, i *instruction, mask uint32) {
	apply1(&w.q[i.d], &w.q[i.a], i.f.(long1), mask)
}

func execLong2(w *warp, i *instruction, mask uint32) {
	apply2(&w.q[i.d], &w.q[i.a], &w.q[i.b], i.f.(long2), mask)
}

func execLong3(w *warp, i *instruction, mask uint32) {
	apply3(&w.q[i.d], &w.q[i.a], &w.q[i.b], &w.q[i.c], i.f.(long3), mask)
}

func execExtractLong(w *warp, i *instruction, mask uint32) {
	f, d, a, b, c := i.f.(long3), &w.q[i.d], &w.q[i.a], &w.r[i.b], &w.r[i.c]
	for m := mask; m != 0; m &= m - 1 {
		l := bits.TrailingZeros32(m) & 31
		d[l] = f(a[l], uint64(b[l]), uint64(c[l]))
	}
}

func execShift(w *warp, i *instruction, mask uint32) {
	apply2(&w.q[i.d], &w.q[i.a], &w.r[i.b], i.f.(shift2), mask)
}

func execCount(w *warp, i *instruction, mask uint32) {
	apply1(&w.r[i.d], &w.q[i.a], i.f.(count1), mask)
}

func execWiden2(w *warp, i *instruction, mask uint32) {
	f, a, b := i.f.(widen2), &w.r[i.a], &w.r[i.b]
	for m := mask; m != 0; m &= m - 1 {
		l := bits.TrailingZeros32(m) & 31
		v := f(a[l], b[l])
		if i.file == longs {
			w.q[i.d][l] = v
		} else {
			w.r[i.d][l] = uint32(v)
		}
	}
}

func execWiden3(w *warp, i *instruction, mask uint32) {
	apply3(&w.q[i.d], &w.r[i.a], &w.r[i.b], &w.q[i.c], i.f.(widen3), mask)
}

func execAddSingle(w *warp, i *instruction, mask uint32) {
	d, a, b := &w.r[i.d], &w.r[i.a], &w.r[i.b]
	if mask == all {
		for l := range lanes {
			d[l] = result(single(a[l]) + single(b[l]))
		}
		return
	}
	for m := mask; m != 0; m &= m - 1 {
		l := bits.TrailingZeros32(m) & 31
		d[l] = result(single(a[l]) + single(b[l]))
	}
}

func execMulSingle(w *warp, i *instruction, mask uint32) {
	d, a, b := &w.r[i.d], &w.r[i.a], &w.r[i.b]
	if mask == all {
		for l := range lanes {
			d[l] = result(single(a[l]) * single(b[l]))
		}
		return
	}
	for m := mask; m != 0; m &= m - 1 {
		l := bits.TrailingZeros32(m) & 31
		d[l] = result(single(a[l]) * single(b[l]))
	}
}

func execFmaSingle(w *warp, i *instruction, mask uint32) {
	d, a, b, c := &w.r[i.d], &w.r[i.a], &w.r[i.b], &w.r[i.c]
	if mask == all {
		for l := range lanes {
			d[l] = result(fma(single(a[l]), single(b[l]), single(c[l])))
		}
		return
	}
	for m := mask; m != 0; m &= m - 1 {
		l := bits.TrailingZeros32(m) & 31
		d[l] = result(fma(single(a[l]), single(b[l]), single(c[l])))
	}
}

func execAddWord(w *warp, i *instruction, mask uint32) {
	d, a, b := &w.r[i.d], &w.r[i.a], &w.r[i.b]
	if mask == all {
		for l := range lanes {
			d[l] = a[l] + b[l]
		}
		return
	}
	for m := mask; m != 0; m &= m - 1 {
		l := bits.TrailingZeros32(m) & 31
		d[l] = a[l] + b[l]
	}
}

func execAddLong(w *warp, i *instruction, mask uint32) {
	d, a, b := &w.q[i.d], &w.q[i.a], &w.q[i.b]
	if mask == all {
		for l := range lanes {
			d[l] = a[l] + b[l]
		}
		return
	}
	for m := mask; m != 0; m &= m - 1 {
		l := bits.TrailingZeros32(m) & 31
		d[l] = a[l] + b[l]
	}
}
