package emulator

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// reservation is a range of the host's addresses in which the memory of all cards lies. No
// address is given out twice, so that freed memory stays invalid for good. Only allocations
// take pages of the host's memory.
type reservation struct {
	sync.Mutex
	all  []byte
	next int
}

const (
	spaceBytes = 1 << 40
	pageBytes  = 4096
	alignment  = 512 // allocations are aligned to this and no more, as the driver's are
	poison     = 0xCB
)

var addresses = sync.OnceValues(func() (*reservation, error) {
	all, err := syscall.Mmap(-1, 0, spaceBytes, syscall.PROT_NONE, syscall.MAP_PRIVATE|syscall.MAP_ANON|syscall.MAP_NORESERVE)
	if err != nil {
		return nil, fmt.Errorf("emulator: reserving %d bytes of addresses: %w", spaceBytes, err)
	}
	return &reservation{all: all}, nil
})

// take returns memory between pages that cannot be accessed.
func (s *reservation) take(bytes int) (*allocation, error) {
	s.Lock()
	defer s.Unlock()
	length := (alignment + bytes + pageBytes - 1) / pageBytes * pageBytes
	if length > len(s.all)-s.next-2*pageBytes {
		return nil, errors.New("emulator: no addresses are left")
	}
	pages := s.all[s.next+pageBytes:][:length:length]
	if err := syscall.Mprotect(pages, syscall.PROT_READ|syscall.PROT_WRITE); err != nil {
		return nil, fmt.Errorf("emulator: %d bytes from the host: %w", length, err)
	}
	s.next += pageBytes + length
	pages[0] = poison
	for n := 1; n < length; n *= 2 {
		copy(pages[n:], pages[:n])
	}
	memory := pages[alignment:][:bytes:bytes]
	return &allocation{pages: pages, memory: memory, address: uint64(uintptr(unsafe.Pointer(unsafe.SliceData(memory))))}, nil
}

// give returns the pages to the host.
func (s *reservation) give(a *allocation) {
	_ = syscall.Madvise(a.pages, syscall.MADV_DONTNEED)
	_ = syscall.Mprotect(a.pages, syscall.PROT_NONE)
}

// allocation is memory that kernels may touch.
type allocation struct {
	pages, memory []byte
	address       uint64
	host          bool // page-locked memory of the host's
}

func (a *allocation) end() uint64 { return a.address + uint64(len(a.memory)) }

// memory is the allocations that a card's kernels may access, by address. Kernels read the
// list while other threads allocate, so it is replaced and never changed.
type memory struct {
	sync.Mutex
	held atomic.Pointer[[]*allocation]
	used int64 // of the card's own
}

func (m *memory) list() []*allocation {
	if l := m.held.Load(); l != nil {
		return *l
	}
	return nil
}

func byAddress(a *allocation, address uint64) int { return cmp.Compare(a.address, address) }

func (m *memory) allocate(bytes int, host bool, limit int64) (*allocation, bool, error) {
	m.Lock()
	defer m.Unlock()
	taken := int64(bytes+alignment-1) / alignment * alignment
	if !host && m.used+taken > limit {
		return nil, true, nil
	}
	s, err := addresses()
	if err != nil {
		return nil, false, err
	}
	a, err := s.take(bytes)
	if err != nil {
		return nil, false, err
	}
	a.host = host
	if !host {
		m.used += taken
	}
	l := m.list()
	i, _ := slices.BinarySearchFunc(l, a.address, byAddress)
	l = slices.Insert(slices.Clone(l), i, a)
	m.held.Store(&l)
	return a, false, nil
}

// free says whether there was such an allocation.
func (m *memory) free(address uint64, host bool) bool {
	m.Lock()
	defer m.Unlock()
	l := m.list()
	i, found := slices.BinarySearchFunc(l, address, byAddress)
	if !found || l[i].host != host {
		return false
	}
	m.release(l[i])
	l = slices.Delete(slices.Clone(l), i, i+1)
	m.held.Store(&l)
	return true
}

func (m *memory) release(a *allocation) {
	if !a.host {
		m.used -= int64(len(a.memory)+alignment-1) / alignment * alignment
	}
	s, _ := addresses()
	s.give(a)
}

// clear frees everything and returns how many allocations on the card there were.
func (m *memory) clear() (number int) {
	m.Lock()
	defer m.Unlock()
	for _, a := range m.list() {
		if !a.host {
			number++
		}
		m.release(a)
	}
	m.held.Store(nil)
	return number
}

// find returns the allocation in which the bytes lie, or nil.
func (m *memory) find(address uint64, bytes int) *allocation {
	l := m.list()
	i, found := slices.BinarySearchFunc(l, address, byAddress)
	if !found {
		i--
	}
	if i < 0 || bytes < 0 || address > l[i].end() || uint64(bytes) > l[i].end()-address {
		return nil
	}
	return l[i]
}

// Valid says whether the bytes lie in one allocation.
func (m *memory) Valid(address uint64, bytes int) bool { return m.find(address, bytes) != nil }

// bytes returns memory to copy from or to, or an error that describes the address.
func (m *memory) bytes(what string, address uint64, n int) ([]byte, error) {
	if a := m.find(address, n); a != nil {
		return a.memory[address-a.address:][:n:n], nil
	}
	return nil, fmt.Errorf("%s %d bytes at %#x: %s", what, n, address, m.around(address))
}

// around describes where an address lies.
func (m *memory) around(address uint64) string {
	l := m.list()
	i, found := slices.BinarySearchFunc(l, address, byAddress)
	if !found {
		i--
	}
	if i < 0 {
		return "no allocation lies there or below"
	}
	return fmt.Sprintf("the allocation at or below has %d bytes at %#x, and that is %d past its start", len(l[i].memory), l[i].address, address-l[i].address)
}

func allocate(c *Card, a []uintptr) cuResult {
	n := int(a[1])
	if n <= 0 {
		return refuse(invalidValue, "an allocation of %d bytes", n)
	}
	m, full, err := c.memory.allocate(n, false, c.Memory)
	if full {
		return outOfMemory
	}
	if err != nil {
		return c.fails(unknown, err)
	}
	return store(a[0], m.address)
}

func allocateHost(c *Card, a []uintptr) cuResult {
	m, _, err := c.memory.allocate(int(a[1]), true, 0)
	if err != nil {
		return c.fails(unknown, err)
	}
	return store(a[0], uintptr(m.address))
}

// give frees memory; it works after a fault, too.
func give(address uint64, host bool) cuResult {
	c := current()
	if c == nil {
		return refuse(invalidContext, "no context is current on this thread")
	}
	if !c.memory.free(address, host) {
		return refuse(invalidValue, "freeing %#x, which is no allocation", address)
	}
	return success
}

func memoryInfo(c *Card, a []uintptr) cuResult {
	c.memory.Lock()
	free := c.Memory - c.memory.used
	c.memory.Unlock()
	if code := store(a[0], free); code != success {
		return code
	}
	return store(a[1], c.Memory)
}
