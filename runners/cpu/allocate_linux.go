package cpu

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// allocate returns n numbers. If they are many, they lie outside Go's heap: the garbage
// collector would let the heap grow to twice what is in use, and large pages (2 MB) avoid
// most TLB misses of the products.
func allocate(n int) ([]float32, func()) {
	const large = 1 << 20
	if n < large/4 {
		return make([]float32, n), nil
	}
	m, err := unix.Mmap(-1, 0, 4*n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return make([]float32, n), nil
	}
	unix.Madvise(m, unix.MADV_HUGEPAGE) // a hint: it may fail
	return unsafe.Slice((*float32)(unsafe.Pointer(&m[0])), n), func() { unix.Munmap(m) }
}
