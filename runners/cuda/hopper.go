package cuda

import (
	"fmt"
	"unsafe"

	"github.com/snapbench/snapbench/runners/engine"
)

// hopperCard says whether kernels named *_sm90a run.
func (d *Device) hopperCard() bool { return d.card.Major == 9 && d.card.Minor == 0 }

// tensorMap is CUtensorMap: how the copy engine finds its way in an array.
type tensorMap [128]byte

// maxMaps is how many a kernel takes: of x, and of the weights of maxTiledExperts.
const maxMaps = 1 + maxTiledExperts

// room returns where tensor maps go, aligned as the driver wants them.
func (l *launch) room() *[maxMaps]tensorMap {
	p := unsafe.Pointer(&l.mapMemory)
	return (*[maxMaps]tensorMap)(unsafe.Add(p, (64-uintptr(p)%64)%64))
}

// maps adds the first n of them to the arguments. An argument that is an array takes those
// behind its first as well.
func (l *launch) maps(n int) *launch {
	for i := range n {
		l.parameters[l.n] = unsafe.Pointer(&l.room()[i])
		l.n++
	}
	return l
}

// encode makes the map of a (outer, middle, d) array of the device's type whose
// middle and outer steps are given in elements, read in boxes of 64 columns.
func (d *Device) encode(to *tensorMap, address uint64, dims [3]int, strides, box [2]int) bool {
	const (
		float16, bfloat16 = 6, 9
		swizzle128        = 3
		promote256        = 3
	)
	kind := uintptr(bfloat16)
	if d.kind == engine.Float16 {
		kind = float16
	}
	size := d.kind.Size()
	extents := [3]uint64{uint64(dims[0]), uint64(dims[1]), uint64(dims[2])}
	steps := [2]uint64{uint64(strides[0] * size), uint64(strides[1] * size)}
	boxes, ones := [3]uint32{64, uint32(box[0]), uint32(box[1])}, [3]uint32{1, 1, 1}
	return d.ok(call(d.driver.TensorMapEncodeTiled, uintptr(unsafe.Pointer(to)), kind, 3, uintptr(address),
		uintptr(unsafe.Pointer(&extents)), uintptr(unsafe.Pointer(&steps)), uintptr(unsafe.Pointer(&boxes)), uintptr(unsafe.Pointer(&ones)),
		0, swizzle128, promote256, 0))
}

// encodeMatrix makes the map of (rows, cols), read in boxes of so many rows.
func (d *Device) encodeMatrix(to *tensorMap, address uint64, rows, cols, box int) bool {
	return d.encode(to, address, [3]int{cols, rows, 1}, [2]int{cols, rows * cols}, [2]int{box, 1})
}

// log2e is log2(e): the kernels' powers are of base 2.
const log2e = 1.44269504

// hopperHeads says whether the attention kernels for compute capability 9.0 serve: 16-bit
// types, heads of 64, 96 and 128, aligned.
func (d *Device) hopperHeads(size int, pointers ...uint64) bool {
	return d.hopperCard() && d.kind != engine.Float32 && aligned(0, pointers...) && (size == 64 || size == 96 || size == 128)
}

// hopper runs the attention kernel for compute capability 9.0 and says whether it serves.
func (d *Device) hopper(out, q, k, v uint64, rows lse, m, start, n int, h engine.Heads, window int, scale float32) bool {
	if !d.hopperHeads(h.Size, out, q, k, v) || m == 0 {
		return false
	}
	const tile, stages = 128, 2 // of kernels/attention_sm90a.cu
	maps := d.launch.room()
	seen := start + m
	ok := d.encode(&maps[0], q, [3]int{h.Size, h.Query, m}, [2]int{h.Size, h.Query * h.Size}, [2]int{1, tile})
	ok = ok && d.encode(&maps[1], k, [3]int{h.Size, seen, h.KV}, [2]int{h.Size, n * h.Size}, [2]int{tile, 1})
	ok = ok && d.encode(&maps[2], v, [3]int{h.Size, seen, h.KV}, [2]int{h.Size, n * h.Size}, [2]int{tile, 1})
	if !ok {
		return true // and has failed
	}
	// Heads at a time: a divisor of all, as many as two thirds of the second cache
	// have room for the keys and values of; no fewer than four were tried and won.
	bytes := 2 * int64(seen) * int64(h.Size) * int64(d.kind.Size())
	most := max(4, int(d.card.L2*2/3/bytes)*h.Group())
	section := min(most, h.Query)
	for h.Query%section != 0 {
		section--
	}
	d.with().maps(3).ptr(out, rows.address).int(rows.pitch, m, start, h.Query, h.KV, section, window).float(scale * log2e)
	columns := blocks(h.Size, 64) * 64
	shared := (1+2*stages)*tile*columns*2 + 1024
	d.run(d.kernel("attention_sm90a", fmt.Sprintf("attention_%d_%s", h.Size, d.suffix)), blocks(m, tile)*h.Query, 1, 384, shared)
	return true
}
