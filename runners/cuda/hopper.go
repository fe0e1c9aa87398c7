package cuda

import "github.com/snapbench/snapbench/runners/engine"

// tensorMap is CUtensorMap: how the copy engine finds its way in an array.
type tensorMap struct {
	_     [0]uint64
	words [16]uint64
}

// hopper runs the kernel for compute capability 9.0 where it serves.
func (d *Device) hopper(out, q, k, v uint64, m, start, n int, h engine.Heads, window int, scale float32) bool {
	return false
}
