package card

import (
	"fmt"
	"runtime"
	"unsafe"

	"github.com/snapbench/snapbench/runners/engine"
)

// reserve asks the driver for memory; the arena calls it.
func (c *Card) reserve(bytes int64) (uint64, error) {
	var p uint64
	if err := c.driver.check(call(c.driver.MemAlloc, uintptr(unsafe.Pointer(&p)), uintptr(bytes))); err != nil {
		return 0, err
	}
	return p, nil
}

// free returns what the driver reports as free.
func (c *Card) free() (free, total int64) {
	call(c.driver.MemGetInfo, uintptr(unsafe.Pointer(&free)), uintptr(unsafe.Pointer(&total)))
	return free, total
}

// Take returns the address of bytes on the card whose contents are undefined, or
// *engine.OutOfMemory. The context is current.
func (c *Card) Take(bytes int64) (uint64, error) {
	p, err := c.arena.take(bytes)
	if err == nil {
		return p, nil
	}
	if r, ok := err.(*resultError); ok && r.code == errorOutOfMemory {
		free, _ := c.free()
		return 0, &engine.OutOfMemory{Device: c.Name(), Need: bytes, Free: free + c.arena.idle()}
	}
	return 0, fmt.Errorf("%s: allocating %d bytes: %w", c.Name(), bytes, err)
}

// Give takes memory back. It panics where the address is not one that Take returned.
func (c *Card) Give(address uint64) { c.arena.give(address) }

// Scratch returns memory for the kernels that are launched before done is called. While
// launches are captured, the memory stays with the graph. ok is false, and the operation has
// failed, where there is not enough.
func (c *Card) Scratch(bytes int64) (p uint64, done func(), ok bool) {
	p, err := c.Take(bytes)
	if err != nil {
		c.Fail(err)
		return 0, func() {}, false
	}
	if c.capturing != nil {
		c.capturing.held = append(c.capturing.held, p)
		return p, func() {}, true
	}
	return p, func() { c.arena.give(p) }, true
}

// Scratches is Scratch for several sizes; done gives all of them back.
func (c *Card) Scratches(bytes ...int64) (p []uint64, done func(), ok bool) {
	var each []func()
	done = func() {
		for _, f := range each {
			f()
		}
	}
	for _, n := range bytes {
		at, f, ok := c.Scratch(n)
		p, each = append(p, at), append(each, f)
		if !ok {
			return p, done, false
		}
	}
	return p, done, true
}

// Memory returns the account, without Weights: the card does not know what is a weight. Free
// is what the driver reports as free and what the card keeps ready for Take.
func (c *Card) Memory() engine.Memory {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	call(c.driver.CtxSetCurrent, c.context)
	free, total := c.free()
	return engine.Memory{Total: total, Free: free + c.arena.idle(), Taken: total - free, InUse: c.arena.inUse, Peak: c.arena.peak}
}

// Trim gives unused memory back to the driver.
func (c *Card) Trim() { c.Do(c.arena.trim) }

// ResetPeak starts the peak anew.
func (c *Card) ResetPeak() { c.arena.peak = c.arena.inUse }

// TakeApart makes every later Take an allocation of the driver's, of exactly the size asked
// for, and releases it, when it is free, before the next Take: a memory checker then notices
// accesses past a block's end.
func (c *Card) TakeApart() { c.arena.apart = true }

// HostMemory returns page-locked memory of the host, and its address for kernels. It is
// freed by Close.
func (c *Card) HostMemory(bytes int64) (p unsafe.Pointer, address uint64, err error) {
	c.Do(func() {
		if p, err = c.hostMemory(bytes); err != nil {
			err = fmt.Errorf("%s: %w", c.Name(), err)
			return
		}
		c.host = append(c.host, p)
		if err = c.driver.check(call(c.driver.MemHostGetDevicePointer, uintptr(unsafe.Pointer(&address)), uintptr(p), 0)); err != nil {
			err = fmt.Errorf("%s: host memory: %w", c.Name(), err)
		}
	})
	return p, address, err
}

// hostMemory returns page-locked memory that kernels can reach too.
func (c *Card) hostMemory(bytes int64) (unsafe.Pointer, error) {
	var p uintptr
	const portable, mapped = 1, 2
	if err := c.driver.check(call(c.driver.MemHostAlloc, uintptr(unsafe.Pointer(&p)), uintptr(bytes), portable|mapped)); err != nil {
		return nil, fmt.Errorf("%d bytes of page-locked host memory: %w", bytes, err)
	}
	return at(p), nil
}
