package card

import (
	"math"
	"unsafe"
)

// Args are the arguments of the next launch, and all else that the launch points to. The
// card has one and uses it for every launch: the driver has read it when the call returns.
type Args struct {
	config     launchConfig
	attributes [2]launchAttribute
	cluster    int        // how many blocks the next launch groups, or 0
	slots      [32]uint64 // arguments of up to eight bytes
	parameters [32]unsafe.Pointer
	n          int
	mapMemory  [MaxMaps + 1]tensorMap // one more than are used, so that they can be aligned
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
	programmaticSerialization = 6 // lets a kernel start before the one before it has finished
)

// Args starts the list of a kernel's arguments, with addresses. Order and types are those
// of the kernel's parameters.
func (c *Card) Args(addresses ...uint64) *Args {
	a := &c.args
	a.n, a.cluster = 0, 0
	return a.Ptr(addresses...)
}

func (a *Args) add(v uint64) *Args {
	a.slots[a.n] = v
	a.parameters[a.n] = unsafe.Pointer(&a.slots[a.n])
	a.n++
	return a
}

// Ptr adds addresses on the card.
func (a *Args) Ptr(addresses ...uint64) *Args {
	for _, v := range addresses {
		a.add(v)
	}
	return a
}

// Int adds numbers of 32 bits. It panics where one does not fit.
func (a *Args) Int(v ...int) *Args {
	for _, v := range v {
		if v < math.MinInt32 || v > math.MaxInt32 {
			panic("cuda: an argument of a kernel does not fit 32 bits")
		}
		a.add(uint64(uint32(int32(v))))
	}
	return a
}

// Long adds numbers of 64 bits.
func (a *Args) Long(v ...int) *Args {
	for _, v := range v {
		a.add(uint64(v))
	}
	return a
}

// Float adds numbers of type float.
func (a *Args) Float(v ...float32) *Args {
	for _, v := range v {
		a.add(uint64(math.Float32bits(v)))
	}
	return a
}

// Cluster makes the launch's blocks clusters of so many (compute capability 9.0).
func (a *Args) Cluster(blocks int) *Args {
	a.cluster = blocks
	return a
}

// Launch starts a kernel with the arguments of Args on a grid of (x, y) blocks of so many
// threads, with bytes of dynamic shared memory. It does nothing where the kernel is nil,
// the grid empty, or an operation has failed.
func (c *Card) Launch(k *Kernel, x, y, threads, shared int) {
	if k == nil || c.err != nil || x == 0 || y == 0 {
		return
	}
	// A block gets 48 KiB without asking; what the kernel declares itself counts, too.
	const unasked, maxDynamicShared = 32 << 10, 8
	if shared > unasked && shared > k.shared {
		if !c.ok(call(c.driver.FuncSetAttribute, k.handle, maxDynamicShared, uintptr(shared))) {
			return
		}
		k.shared = shared
	}
	a := &c.args
	a.config = launchConfig{
		grid: [3]uint32{uint32(x), uint32(y), 1}, block: [3]uint32{uint32(threads), 1, 1},
		shared: uint32(shared), stream: c.stream,
	}
	if c.Major >= 9 {
		a.attributes[0] = launchAttribute{id: programmaticSerialization, value: [8]uint64{1}}
		a.config.attributes, a.config.number = unsafe.Pointer(&a.attributes), 1
	}
	if a.cluster > 0 {
		a.attributes[1] = launchAttribute{id: clusterDimension, value: [8]uint64{uint64(a.cluster) | 1<<32, 1}}
		a.config.number = 2
	}
	c.ok(call(c.driver.LaunchKernelEx, uintptr(unsafe.Pointer(&a.config)), k.handle, uintptr(unsafe.Pointer(&a.parameters[0])), 0))
}
