package card

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"unsafe"
)

// Card is a GPU with a context, a stream and memory. [Libraries.Open] makes it.
type Card struct {
	Properties

	driver *driver
	blas   *cublas
	handle int32 // CUdevice
	about  string

	context, stream, blasHandle uintptr
	arena                       *arena
	staging                     staging
	host                        []unsafe.Pointer // page-locked memory that HostMemory gave
	kernels                     kernels
	args                        Args
	alpha, beta                 float32 // cuBLAS reads them here
	capturing                   *Graph  // what Capture records, or nil

	err        error    // the first since the last Sync
	operations int      // started
	last       string   // the operation that was started last
	between    []string // operations since the last Sync, each named once
}

// workspaceBytes is what cuBLAS is advised to have on compute capability 9.0.
const workspaceBytes = 64 << 20

// Open opens the card of this index. source returns the PTX of a module for compute
// capabilities of a major number. The error says what is missing where the driver, the card
// or cuBLAS cannot be used.
func (l Libraries) Open(index int, source func(module string, major int) (string, error)) (*Card, error) {
	c := &Card{}
	c.kernels.open(source)
	if err := c.open(index, l); err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

func (c *Card) open(index int, l Libraries) error {
	var err error
	if c.driver, err = l.driver(); err != nil {
		return err
	}
	cards, err := c.driver.cards()
	if err != nil {
		return err
	}
	if index < 0 || index >= len(cards) {
		names := make([]string, len(cards))
		for i, p := range cards {
			names[i] = p.String()
		}
		return fmt.Errorf("cuda: unknown device %d: have %s", index, strings.Join(names, "; "))
	}
	if c.Properties, c.handle, err = c.driver.card(index); err != nil {
		return err
	}
	if c.Major < 8 {
		return fmt.Errorf("cuda: %s: compute capability 8.0 or later is needed", c.Properties)
	}
	if c.blas, err = l.cublas(); err != nil {
		return err
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for _, step := range []struct {
		what string
		do   func() uint32
	}{
		{"primary context", func() uint32 {
			return call(c.driver.DevicePrimaryCtxRetain, uintptr(unsafe.Pointer(&c.context)), uintptr(c.handle))
		}},
		{"current context", func() uint32 { return call(c.driver.CtxSetCurrent, c.context) }},
		{"stream", func() uint32 { return call(c.driver.StreamCreate, uintptr(unsafe.Pointer(&c.stream)), 1) }}, // non-blocking
	} {
		if err := c.driver.check(step.do()); err != nil {
			return fmt.Errorf("%s: %s: %w", c.Name(), step.what, err)
		}
	}
	c.arena = newArena(c.reserve, func(p uint64) { call(c.driver.MemFree, uintptr(p)) })
	if err := c.staging.open(c); err != nil {
		return fmt.Errorf("%s: %w", c.Name(), err)
	}
	if err := c.openBlas(); err != nil {
		return err
	}
	v := c.driver.version()
	c.about = fmt.Sprintf("%s, driver CUDA %d.%d, cuBLAS %s", c.Properties.Name, v/1000, v%1000/10, c.blasVersion())
	return nil
}

// Close gives everything back to the driver.
func (c *Card) Close() error {
	if c.context == 0 {
		return nil
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	call(c.driver.CtxSetCurrent, c.context)
	if c.stream != 0 {
		call(c.driver.StreamSynchronize, c.stream)
	}
	if c.blasHandle != 0 {
		call(c.blas.Destroy, c.blasHandle)
	}
	c.kernels.close(c)
	if c.arena != nil {
		c.arena.close()
	}
	c.staging.close(c)
	for _, p := range c.host {
		call(c.driver.MemFreeHost, uintptr(p))
	}
	c.host = nil
	if c.stream != 0 {
		call(c.driver.StreamDestroy, c.stream)
	}
	call(c.driver.CtxSetCurrent, 0)
	err := c.driver.check(call(c.driver.DevicePrimaryCtxRelease, uintptr(c.handle)))
	name := c.Name()
	c.context = 0
	if err != nil {
		return fmt.Errorf("%s: closing: %w", name, err)
	}
	return nil
}

// Name returns "cuda:0".
func (c *Card) Name() string { return fmt.Sprintf("cuda:%d", c.Index) }

// Describe names the card, driver and cuBLAS.
func (c *Card) Describe() string { return c.about }

// Do runs f with the context current on its thread.
func (c *Card) Do(f func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	call(c.driver.CtxSetCurrent, c.context)
	f()
}

// Enter starts an operation: it makes the context current on this thread until Leave. It
// returns false where that fails or an earlier operation has failed: the caller then does
// nothing but Leave.
func (c *Card) Enter(operation string) bool {
	runtime.LockOSThread()
	if c.context == 0 {
		runtime.UnlockOSThread()
		panic("cuda: " + operation + " on a closed device")
	}
	c.operations++
	if c.err != nil {
		return false
	}
	if operation != c.last {
		c.last = operation
		if !slices.Contains(c.between, operation) {
			c.between = append(c.between, operation)
		}
	}
	return c.ok(call(c.driver.CtxSetCurrent, c.context))
}

// Operations returns how many operations were started.
func (c *Card) Operations() int { return c.operations }

// Leave ends an operation, also one for which Enter returned false.
func (c *Card) Leave() { runtime.UnlockOSThread() }

// ok keeps the first failure, named after the operation.
func (c *Card) ok(code uint32) bool {
	if code == 0 {
		return c.err == nil
	}
	c.Fail(c.driver.check(code))
	return false
}

// Fail records that the operation has failed with err; Sync returns the first failure.
func (c *Card) Fail(err error) {
	if c.err == nil && err != nil {
		c.err = fmt.Errorf("%s: %s: %w", c.Name(), c.last, err)
	}
}

// Failed says whether an operation has failed since the last Sync.
func (c *Card) Failed() bool { return c.err != nil }

// Wait waits for the stream.
func (c *Card) Wait() bool {
	c.HostNeeded("waiting")
	code := call(c.driver.StreamSynchronize, c.stream)
	return c.ok(code)
}

// Sync waits for everything and returns the first error since the last Sync. What
// a kernel did wrong shows only here: the error then names every operation since
// the last Sync.
func (c *Card) Sync() error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if c.context == 0 {
		return errors.New("cuda: Sync on a closed device")
	}
	call(c.driver.CtxSetCurrent, c.context)
	if err := c.driver.check(call(c.driver.StreamSynchronize, c.stream)); err != nil && c.err == nil {
		c.err = fmt.Errorf("%s: in one of %s: %w", c.Name(), strings.Join(c.between, ", "), err)
	}
	err := c.err
	c.err, c.last, c.between = nil, "", c.between[:0]
	return err
}
