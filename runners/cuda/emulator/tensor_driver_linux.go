package emulator

import "unsafe"

// encodeTiled is cuTensorMapEncodeTiled. It refuses arguments that the driver's documentation
// does not allow.
func encodeTiled(c *Card, a []uintptr) cuResult {
	const name = "cuTensorMapEncodeTiled"
	rank := uint32(a[2])
	switch {
	case c.Major < 9:
		return refuse(notSupported, "%s on compute capability %d.%d", name, c.Major, c.Minor)
	case a[0] == 0 || a[0]%64 != 0:
		return refuse(invalidValue, "%s: a map at %#x: must be a multiple of 64", name, a[0])
	case rank < 1 || rank > 5:
		return refuse(invalidValue, "%s: %d dimensions: 1 to 5", name, rank)
	case a[4] == 0 || a[5] == 0 && rank > 1 || a[6] == 0 || a[7] == 0:
		return refuse(invalidValue, "%s: dimensions at %#x, strides at %#x, box at %#x, steps at %#x: none may be null", name, a[4], a[5], a[6], a[7])
	case uint32(a[8]) != 0:
		return refuse(notSupported, "%s: interleaving %d is not emulated", name, uint32(a[8]))
	}
	dims := unsafe.Slice((*uint64)(hostAt(a[4])), rank)
	strides := unsafe.Slice((*uint64)(hostAt(a[5])), rank-1)
	box, steps := unsafe.Slice((*uint32)(hostAt(a[6])), rank), unsafe.Slice((*uint32)(hostAt(a[7])), rank)
	m, err := newTensorMap(uint32(a[1]), rank, uint64(a[3]), dims, strides, box, steps, uint32(a[9]), uint32(a[10]), uint32(a[11]))
	if err != nil {
		return refuse(invalidValue, "%s: %w", name, err)
	}
	return store(a[0], m)
}
