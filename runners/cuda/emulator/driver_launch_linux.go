package emulator

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"unsafe"
)

type module struct {
	*Card
	*Module
}

type kernelHandle struct {
	*Card
	*Kernel
	name       string
	threads    int // the most of a block
	shared     int // dynamic shared memory that a block may have
	parameters []int
}

var targetLine = regexp.MustCompile(`(?m)^\.target\s+sm_(\d+)(a?)`)

// loadModule reads PTX. Of the compiler's options it looks at those for the error log only
// (CU_JIT_ERROR_LOG_BUFFER and its size).
func loadModule(c *Card, a []uintptr) cuResult {
	source := text(a[1])
	fail := func(code cuResult, err error) cuResult {
		var log, bytes uintptr
		for i := range int(a[2]) {
			option := *(*uint32)(unsafe.Add(hostAt(a[3]), 4*i))
			value := *(*uintptr)(unsafe.Add(hostAt(a[4]), 8*i))
			switch option {
			case 5:
				log = value
			case 6:
				bytes = value
			}
		}
		if log != 0 && bytes > 0 {
			to := unsafe.Slice((*byte)(hostAt(log)), bytes)
			to[copy(to[:len(to)-1], err.Error())] = 0
		}
		return code
	}
	target := targetLine.FindStringSubmatch(source)
	if target == nil {
		return fail(invalidPTX, errors.New("no .target line"))
	}
	capability, _ := strconv.Atoi(target[1])
	if own := 10*c.Major + c.Minor; capability > own || target[2] != "" && capability != own {
		return fail(noBinary, fmt.Errorf("PTX for sm_%d%s on a card of compute capability %d.%d", capability, target[2], c.Major, c.Minor))
	}
	parsed, err := Parse(source)
	if err != nil {
		return fail(invalidPTX, err)
	}
	return store(a[0], add(&module{c, parsed}))
}

func getFunction(c *Card, a []uintptr) cuResult {
	m, ok := of[*module](a[1])
	if !ok || m.Card != c {
		return refuse(invalidHandle, "%#x is no module of card %d", a[1], c.index)
	}
	name := text(a[2])
	k, err := m.Kernel(name)
	if err != nil {
		return refuse(notFound, "%w", err)
	}
	f := &kernelHandle{Card: c, Kernel: k, name: name, threads: maxThreads, shared: sharedUnasked - k.dynamic, parameters: k.Parameters()}
	if k.maxThreads > 0 {
		f.threads = k.maxThreads
	}
	return store(a[0], add(f))
}

// sharedUnasked is how much shared memory a block may have by default, including what the
// kernel declares.
const sharedUnasked = 48 << 10

// sharedMost is how much a kernel can be allowed (CUDA C++ Programming Guide, compute
// capabilities).
func (c *Card) sharedMost() int {
	switch {
	case c.Major >= 9:
		return 227 << 10
	case c.Minor == 0:
		return 163 << 10
	}
	return 99 << 10
}

func setAttribute(c *Card, a []uintptr) cuResult {
	f, ok := of[*kernelHandle](a[0])
	if !ok {
		return refuse(invalidHandle, "%#x is no function", a[0])
	}
	const maxDynamicShared = 8
	if n := int(int32(a[2])); a[1] != maxDynamicShared || n < 0 || n > c.sharedMost()-f.dynamic {
		return refuse(invalidValue, "%s: attribute %d cannot be %d; dynamic shared memory (8) can be %d", f.name, a[1], int32(a[2]), c.sharedMost()-f.dynamic)
	}
	f.shared = int(int32(a[2]))
	return success
}

// launchConfig is CUlaunchConfig.
type launchConfig struct {
	grid, block [3]uint32
	shared      uint32
	stream      uintptr
	attributes  uintptr
	number      uint32
}

// launchAttribute is CUlaunchAttribute.
type launchAttribute struct {
	id    uint32
	_     uint32
	value [16]uint32
}

// attributes reads the attributes of a launch: the size of its clusters, and whether it may
// begin before the launch before it has ended, which no launch does here.
func (c *Card) attributes(f *kernelHandle, config *launchConfig, grid [3]int) (cluster [3]int, code cuResult) {
	const clusterDimension, programmaticSerialization = 4, 6
	cluster = [3]int{1, 1, 1}
	for i := range int(config.number) {
		at := *(*launchAttribute)(unsafe.Add(hostAt(config.attributes), i*int(unsafe.Sizeof(launchAttribute{}))))
		if at.id != clusterDimension && at.id != programmaticSerialization || c.Major < 9 {
			return cluster, refuse(notSupported, "%s: launch attribute %d on compute capability %d.%d", f.name, at.id, c.Major, c.Minor)
		}
		if at.id == clusterDimension {
			for axis := range cluster {
				cluster[axis] = int(at.value[axis])
			}
		}
	}
	if err := checkCluster(grid, cluster); err != nil {
		return cluster, refuse(invalidClusterSize, "%s: %w", f.name, err)
	}
	return cluster, success
}

func launchKernel(c *Card, a []uintptr) cuResult {
	config := *(*launchConfig)(hostAt(a[0]))
	f, ok := of[*kernelHandle](a[1])
	if !ok || f.Card != c {
		return refuse(invalidHandle, "%#x is no function of card %d", a[1], c.index)
	}
	s, ok := of[*stream](config.stream)
	if !ok || s.Card != c {
		return refuse(invalidHandle, "%s: %#x is no stream of card %d", f.name, config.stream, c.index)
	}
	var grid, block [3]int
	threads := 1
	for i := range 3 {
		grid[i], block[i] = int(config.grid[i]), int(config.block[i])
		threads *= block[i]
		if limit := []int{math.MaxInt32, 65535, 65535}[i]; grid[i] < 1 || grid[i] > limit || block[i] < 1 || block[i] > 1024 {
			return refuse(invalidValue, "%s: a grid of %v blocks of %v threads", f.name, config.grid, config.block)
		}
	}
	if threads > f.threads {
		return refuse(invalidValue, "%s: blocks of %d threads, at most %d", f.name, threads, f.threads)
	}
	if int(config.shared) > f.shared {
		return refuse(invalidValue, "%s: %d bytes of dynamic shared memory, %d are allowed", f.name, config.shared, f.shared)
	}
	cluster, code := c.attributes(f, &config, grid)
	if code != success {
		return code
	}
	if a[3] != 0 {
		return refuse(notSupported, "%s: arguments as one buffer", f.name)
	}
	arguments := make([][]byte, len(f.parameters))
	for i, size := range f.parameters {
		from := *(*unsafe.Pointer)(unsafe.Add(hostAt(a[2]), 8*i))
		if from == nil {
			return refuse(invalidValue, "%s: argument %d of %d is missing", f.name, i, len(f.parameters))
		}
		arguments[i] = slices.Clone(unsafe.Slice((*byte)(from), size))
	}
	return s.do(func() cuResult {
		c.mu.Lock()
		c.launches[f.name]++
		c.mu.Unlock()
		w := &watched{memory: &c.memory}
		err := f.LaunchClusters(w, grid, block, cluster, int(config.shared), arguments, c.resident())
		if err == nil {
			return success
		}
		return c.fails(w.code(), fmt.Errorf("%s: grid %v of %v: %w", f.name, grid, block, err))
	})
}

// resident is how many blocks run at a time.
func (c *Card) resident() int { return 2 * c.Multiprocessors }

// watched is a card's memory that remembers whether a kernel used an invalid address.
type watched struct {
	*memory
	mu     sync.Mutex
	astray bool
}

// Valid says whether the bytes lie in one allocation.
func (w *watched) Valid(address uint64, bytes int) bool {
	if w.memory.Valid(address, bytes) {
		return true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.astray = true
	return false
}

func (w *watched) code() cuResult {
	if w.astray {
		return illegalAddress
	}
	return launchFailed
}
