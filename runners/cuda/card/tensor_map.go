package card

import (
	"unsafe"

	"github.com/snapbench/snapbench/runners/engine"
)

// tensorMap is CUtensorMap: how the copy engine finds its way in an array.
type tensorMap [128]byte

// MaxMaps is how many tensor maps a launch may have among its arguments.
const MaxMaps = 17

// maps returns the memory of the tensor maps, with the alignment that the driver demands.
func (a *Args) maps() *[MaxMaps]tensorMap {
	p := unsafe.Pointer(&a.mapMemory)
	return (*[MaxMaps]tensorMap)(unsafe.Add(p, (64-uintptr(p)%64)%64))
}

// Maps adds n arguments that are tensor maps, numbers 0 … n-1 as Map made them. For a
// parameter that is an array of maps, count the array's first only: the others lie after it.
func (a *Args) Maps(n int) *Args {
	for i := range n {
		a.parameters[a.n] = unsafe.Pointer(&a.maps()[i])
		a.n++
	}
	return a
}

// Map makes tensor map i of the next launch, of an array of t (Float16 or BFloat16) at
// address, read in boxes of (box[1], box[0], 64) elements. dims are the array's, the
// innermost first; strides are the steps of the middle and the outer one, in elements.
func (c *Card) Map(i int, address uint64, t engine.Type, dims [3]int, strides, box [2]int) bool {
	const (
		float16, bfloat16 = 6, 9
		swizzle128        = 3
		promote256        = 3
	)
	kind := uintptr(bfloat16)
	if t == engine.Float16 {
		kind = float16
	}
	size := t.Size()
	extents := [3]uint64{uint64(dims[0]), uint64(dims[1]), uint64(dims[2])}
	steps := [2]uint64{uint64(strides[0] * size), uint64(strides[1] * size)}
	boxes, ones := [3]uint32{64, uint32(box[0]), uint32(box[1])}, [3]uint32{1, 1, 1}
	return c.ok(call(c.driver.TensorMapEncodeTiled, uintptr(unsafe.Pointer(&c.args.maps()[i])), kind, 3, uintptr(address),
		uintptr(unsafe.Pointer(&extents)), uintptr(unsafe.Pointer(&steps)), uintptr(unsafe.Pointer(&boxes)), uintptr(unsafe.Pointer(&ones)),
		0, swizzle128, promote256, 0))
}

// MapMatrix makes tensor map i of the next launch, of a matrix (rows, cols) of t read in
// boxes of box rows of 64 columns.
func (c *Card) MapMatrix(i int, address uint64, t engine.Type, rows, cols, box int) bool {
	return c.Map(i, address, t, [3]int{cols, rows, 1}, [2]int{cols, rows * cols}, [2]int{box, 1})
}
