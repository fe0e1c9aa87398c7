package cpu

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/snapbench/snapbench/runners/engine"
)

// buffer is what an array's Buffer points to.
type buffer struct {
	f    []float32
	i    []int32
	b    []byte
	free func()
}

type memory struct {
	weights, inUse, peak int64
	unchecked            int64 // taken since the system was last asked
}

const (
	checkEvery = 32 << 20  // bytes: asking the system takes 50 µs
	reserve    = 256 << 20 // left to everyone else
)

// take counts an allocation, or says that it does not fit.
func (m *memory) take(bytes int64) error {
	m.unchecked += bytes
	if m.unchecked >= checkEvery {
		if free, ok := availableMemory(); ok && bytes > free {
			m.unchecked -= bytes
			return &engine.OutOfMemory{Device: "cpu", Need: bytes, Free: free}
		}
		m.unchecked = 0
	}
	m.inUse += bytes
	m.peak = max(m.peak, m.inUse)
	return nil
}

func (m *memory) give(bytes int64) { m.inUse -= bytes }

// meminfo returns a field of /proc/meminfo in bytes.
func meminfo(field string) (int64, bool) {
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		return 0, false
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if rest, ok := strings.CutPrefix(s.Text(), field+":"); ok {
			kb, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kb << 10, err == nil
		}
	}
	return 0, false
}

// availableMemory returns how many bytes may still be taken, at least 1: what the system has
// available or, where that is less, what the process's control groups allow, less the
// reserve. It returns false where neither is known.
func availableMemory() (int64, bool) {
	free, known := meminfo("MemAvailable")
	if left, limited := controlGroupFree("/"); limited && (!known || left < free) {
		free, known = left, true
	}
	return max(1, free-reserve), known
}

// Memory returns the account; Total and Free are the system's, 0 where it does not say.
func (d *Device) Memory() engine.Memory {
	total, _ := meminfo("MemTotal")
	free, known := availableMemory()
	if !known {
		free = 0
	}
	return engine.Memory{Total: total, Free: free, Weights: d.mem.weights, InUse: d.mem.inUse, Peak: d.mem.peak}
}

// ResetPeak sets the peak to what is in use.
func (d *Device) ResetPeak() { d.mem.peak = d.mem.inUse }

// New returns an array of n elements, Float32, Int32 or Uint8.
func (d *Device) New(t engine.Type, n int) (engine.Array, error) {
	if n < 0 {
		shape("new: %d elements", n)
	}
	a := engine.Array{Len: n, Type: t}
	if t != engine.Float32 && t != engine.Int32 && t != engine.Uint8 {
		return engine.Array{}, fmt.Errorf("cpu: arrays are float32, int32 or uint8, not %s", t)
	}
	if err := d.mem.take(a.Bytes()); err != nil {
		return engine.Array{}, err
	}
	b := &buffer{}
	switch t {
	case engine.Int32:
		b.i = make([]int32, n)
	case engine.Uint8:
		b.b = make([]byte, n)
	default:
		b.f, b.free = allocate(n)
	}
	a.Buffer = b
	return a, nil
}

// Free gives arrays back, each as New returned it, not a slice of it.
func (d *Device) Free(arrays ...engine.Array) {
	for _, a := range arrays {
		b, ok := a.Buffer.(*buffer)
		if !ok || b.f == nil && b.i == nil && b.b == nil {
			continue
		}
		d.mem.give(4*int64(len(b.f)+len(b.i)) + int64(len(b.b)))
		if b.free != nil {
			b.free()
		}
		*b = buffer{}
	}
}

// f32 returns the numbers of a Float32 array.
func f32(op string, a engine.Array) []float32 {
	return numbers(op, a, engine.Float32, func(b *buffer) []float32 { return b.f })
}

// i32 returns the numbers of an Int32 array.
func i32(op string, a engine.Array) []int32 {
	return numbers(op, a, engine.Int32, func(b *buffer) []int32 { return b.i })
}

// u8 returns the bytes of a Uint8 array.
func u8(op string, a engine.Array) []byte {
	return numbers(op, a, engine.Uint8, func(b *buffer) []byte { return b.b })
}

func numbers[T any](op string, a engine.Array, want engine.Type, of func(*buffer) []T) []T {
	if a.Len == 0 {
		return nil
	}
	b, ok := a.Buffer.(*buffer)
	if !ok || a.Type != want || a.Offset+a.Len > len(of(b)) {
		shape("%s: want a living %s array, have %s of %d at %d", op, want, a.Type, a.Len, a.Offset)
	}
	return of(b)[a.Offset : a.Offset+a.Len : a.Offset+a.Len]
}

// Put copies src to the device.
func (d *Device) Put(dst engine.Array, src []float32) {
	wantLen("put", "dst", dst, len(src))
	if d.err == nil {
		copy(f32("put", dst), src)
	}
}

// PutInts copies src to the device.
func (d *Device) PutInts(dst engine.Array, src []int32) {
	wantLen("put ints", "dst", dst, len(src))
	if d.err == nil {
		copy(i32("put ints", dst), src)
	}
}

// Get copies src to the host.
func (d *Device) Get(dst []float32, src engine.Array) {
	wantLen("get", "src", src, len(dst))
	if d.err == nil {
		copy(dst, f32("get", src))
	}
}

// GetInts copies src to the host.
func (d *Device) GetInts(dst []int32, src engine.Array) {
	wantLen("get ints", "src", src, len(dst))
	if d.err == nil {
		copy(dst, i32("get ints", src))
	}
}

// Copy copies src to dst.
func (d *Device) Copy(dst, src engine.Array) {
	if dst.Len != src.Len || dst.Type != src.Type {
		shape("copy: dst is %s of %d, src %s of %d", dst.Type, dst.Len, src.Type, src.Len)
	}
	if d.err != nil {
		return
	}
	switch dst.Type {
	case engine.Int32:
		copy(i32("copy", dst), i32("copy", src))
	case engine.Uint8:
		copy(u8("copy", dst), u8("copy", src))
	default:
		copy(f32("copy", dst), f32("copy", src))
	}
}
