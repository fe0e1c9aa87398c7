package cuda

import (
	"fmt"
	"runtime"
	"unsafe"

	"github.com/snapbench/snapbench/runners/engine"
)

// buffer is what an [engine.Array] of this package points to.
type buffer struct {
	address uint64
	device  *Device
}

// reserve asks the driver for memory; the arena calls it.
func (d *Device) reserve(bytes int64) (uint64, error) {
	var p uint64
	if err := d.driver.check(call(d.driver.MemAlloc, uintptr(unsafe.Pointer(&p)), uintptr(bytes))); err != nil {
		return 0, err
	}
	return p, nil
}

// free returns what the driver says is free.
func (d *Device) free() (free, total int64) {
	call(d.driver.MemGetInfo, uintptr(unsafe.Pointer(&free)), uintptr(unsafe.Pointer(&total)))
	return free, total
}

// take is the arena's, with the error that callers expect.
func (d *Device) take(bytes int64) (uint64, error) {
	p, err := d.arena.take(bytes)
	if err == nil {
		return p, nil
	}
	if r, ok := err.(*resultError); ok && r.code == errorOutOfMemory {
		free, _ := d.free()
		return 0, &engine.OutOfMemory{Device: d.Name(), Need: bytes, Free: free + d.arena.idle()}
	}
	return 0, fmt.Errorf("%s: allocating %d bytes: %w", d.Name(), bytes, err)
}

// scratch returns memory that only the kernels launched before done is called may
// use; while a step is recorded it stays with the record. ok is false, and the
// operation has failed, where there is none.
func (d *Device) scratch(bytes int64) (p uint64, done func(), ok bool) {
	p, err := d.take(bytes)
	if err != nil {
		d.fail(err)
		return 0, func() {}, false
	}
	if d.recording != nil {
		d.recording.held = append(d.recording.held, p)
		return p, func() {}, true
	}
	return p, func() { d.arena.give(p) }, true
}

// scratches is scratch for several sizes; done gives all of them back.
func (d *Device) scratches(bytes ...int64) (p []uint64, done func(), ok bool) {
	var each []func()
	done = func() {
		for _, f := range each {
			f()
		}
	}
	for _, n := range bytes {
		at, f, ok := d.scratch(n)
		p, each = append(p, at), append(each, f)
		if !ok {
			return p, done, false
		}
	}
	return p, done, true
}

// New returns an array whose contents are undefined.
func (d *Device) New(t engine.Type, n int) (engine.Array, error) {
	if n < 0 {
		panic(fmt.Sprintf("cuda: New: %d elements", n))
	}
	if n == 0 {
		return engine.Array{Type: t}, nil
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	call(d.driver.CtxSetCurrent, d.context)
	p, err := d.take(int64(n) * int64(t.Size()))
	if err != nil {
		return engine.Array{}, err
	}
	return engine.Array{Buffer: &buffer{p, d}, Len: n, Type: t}, nil
}

// Free gives arrays back; empty ones may be among them.
func (d *Device) Free(arrays ...engine.Array) {
	for _, a := range arrays {
		if a.Buffer != nil {
			d.arena.give(a.Buffer.(*buffer).address)
		}
	}
}

// Memory returns the account. Free counts what the driver says is free and what the
// device keeps ready for New.
func (d *Device) Memory() engine.Memory {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	call(d.driver.CtxSetCurrent, d.context)
	free, total := d.free()
	return engine.Memory{Total: total, Free: free + d.arena.idle(), Taken: total - free, Weights: d.arena.weights, InUse: d.arena.inUse, Peak: d.arena.peak}
}

// Trim gives back to the driver what nothing lies in.
func (d *Device) Trim() { d.inContext(d.arena.trim) }

// ResetPeak starts the peak anew.
func (d *Device) ResetPeak() { d.arena.peak = d.arena.inUse }

// pointer returns where an array's first element lies, 0 for an empty array. It
// panics where the array is of another type or another device.
func (d *Device) pointer(operation string, a engine.Array, t engine.Type) uint64 {
	if a.Len == 0 {
		return 0
	}
	if a.Type != t {
		panic(fmt.Sprintf("cuda: %s: array of %v, want %v", operation, a.Type, t))
	}
	b, ok := a.Buffer.(*buffer)
	if !ok || b.device != d {
		panic(fmt.Sprintf("cuda: %s: an array of another device", operation))
	}
	return b.address + uint64(a.Offset)*uint64(t.Size())
}

// hostMemory returns page-locked memory that kernels can reach too.
func (d *Device) hostMemory(bytes int64) (unsafe.Pointer, error) {
	var p uintptr
	const portable, mapped = 1, 2
	if err := d.driver.check(call(d.driver.MemHostAlloc, uintptr(unsafe.Pointer(&p)), uintptr(bytes), portable|mapped)); err != nil {
		return nil, fmt.Errorf("%d bytes of page-locked host memory: %w", bytes, err)
	}
	return at(p), nil
}
