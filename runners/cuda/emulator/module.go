package emulator

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Module is the decoded text of a PTX file. It may be used by several goroutines.
type Module struct{ kernels map[string]*Kernel }

// Kernel is an entry function.
type Kernel struct {
	name             string
	line             int
	parameters       []parameter
	parameterOffsets map[string]int
	parameterBytes   int
	maxThreads       int // of a block; 0: what the machine allows
	minBlocks        int // on a multiprocessor together; 0: not said
	code             []instruction
	registers        [3]int   // of predicates, 32 and 64 bits, without constants
	constants32      []uint32 // they follow the registers
	constants64      []uint64
	shared           int       // bytes of static shared memory
	dynamic          int       // where dynamic shared memory begins
	local            int       // bytes of a thread's local memory
	rooms            sync.Pool // of *block, between launches
}

type parameter struct{ offset, bytes int }

// Memory tells which host addresses a kernel may touch. Device addresses are host
// addresses.
type Memory interface {
	Valid(address uint64, bytes int) bool
}

// Kernel returns an entry function, or an error that lists the names that exist.
func (m *Module) Kernel(name string) (*Kernel, error) {
	if k := m.kernels[name]; k != nil {
		return k, nil
	}
	return nil, fmt.Errorf("unknown kernel %q: have %s", name, strings.Join(slices.Sorted(maps.Keys(m.kernels)), ", "))
}

// Parameters returns the byte size of each parameter, in order.
func (k *Kernel) Parameters() []int {
	sizes := make([]int, len(k.parameters))
	for i, p := range k.parameters {
		sizes[i] = p.bytes
	}
	return sizes
}

// Shared is where a block's dynamic shared memory begins: behind so many bytes that the kernel declares itself.
func (k *Kernel) Shared() int { return k.dynamic }
