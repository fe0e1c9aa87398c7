package cuda

import (
	"math"
	"unsafe"
)

// launch holds what a kernel launch points to; one, used again and again, since the
// driver has read it when the call returns.
type launch struct {
	config     launchConfig
	attributes [2]launchAttribute
	cluster    int        // how many blocks the next launch groups, or 0
	slots      [32]uint64 // arguments of up to eight bytes
	parameters [32]unsafe.Pointer
	n          int
	mapMemory  [maxMaps + 1]tensorMap // aligned, one less
	alpha      float32
	beta       float32
}

// launchConfig is CUlaunchConfig.
type launchConfig struct {
	grid, block [3]uint32
	shared      uint32
	stream      uintptr
	attributes  unsafe.Pointer
	number      uint32
}

// launchAttribute is CUlaunchAttribute.
type launchAttribute struct {
	id    uint32
	_     uint32
	value [8]uint64
}

const (
	clusterDimension          = 4
	programmaticSerialization = 6 // lets a kernel start before the one ahead has finished
)

// with starts a list of arguments; their order and types are the kernel's.
func (d *Device) with(pointers ...uint64) *launch {
	l := d.launch
	l.n, l.cluster = 0, 0
	return l.ptr(pointers...)
}

func (l *launch) add(v uint64) *launch {
	l.slots[l.n] = v
	l.parameters[l.n] = unsafe.Pointer(&l.slots[l.n])
	l.n++
	return l
}

func (l *launch) ptr(p ...uint64) *launch {
	for _, v := range p {
		l.add(v)
	}
	return l
}

func (l *launch) int(v ...int) *launch {
	for _, v := range v {
		if v < math.MinInt32 || v > math.MaxInt32 {
			panic("cuda: an argument of a kernel does not fit 32 bits")
		}
		l.add(uint64(uint32(int32(v))))
	}
	return l
}

func (l *launch) long(v ...int) *launch {
	for _, v := range v {
		l.add(uint64(v))
	}
	return l
}

func (l *launch) float(v ...float32) *launch {
	for _, v := range v {
		l.add(uint64(math.Float32bits(v)))
	}
	return l
}

// run launches a kernel with the arguments of with on a grid of blocks (x, y) of
// threads each, with dynamic shared memory.
func (d *Device) run(k *kernel, x, y, threads, shared int) {
	if k == nil || d.err != nil || x == 0 || y == 0 {
		return
	}
	// Blocks get 48 KiB in all without asking, what kernels declare themselves included.
	const unasked, maxDynamicShared = 32 << 10, 8
	if shared > unasked && shared > k.shared {
		if !d.ok(call(d.driver.FuncSetAttribute, k.handle, maxDynamicShared, uintptr(shared))) {
			return
		}
		k.shared = shared
	}
	l := d.launch
	l.config = launchConfig{
		grid: [3]uint32{uint32(x), uint32(y), 1}, block: [3]uint32{uint32(threads), 1, 1},
		shared: uint32(shared), stream: d.stream,
	}
	if d.card.Major >= 9 {
		l.attributes[0] = launchAttribute{id: programmaticSerialization, value: [8]uint64{1}}
		l.config.attributes, l.config.number = unsafe.Pointer(&l.attributes), 1
	}
	if l.cluster > 0 {
		l.attributes[1] = launchAttribute{id: clusterDimension, value: [8]uint64{uint64(l.cluster) | 1<<32, 1}}
		l.config.number = 2
	}
	d.ok(call(d.driver.LaunchKernelEx, uintptr(unsafe.Pointer(&l.config)), k.handle, uintptr(unsafe.Pointer(&l.parameters[0])), 0))
}

// blocks is how many blocks of size cover n.
func blocks(n, size int) int { return (n + size - 1) / size }
