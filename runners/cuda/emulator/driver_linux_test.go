package emulator

import (
	"bytes"
	"math"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"github.com/ebitengine/purego"
)

// called calls a function of the driver by name. Addresses of Go variables must be converted
// in the call itself, uintptr(unsafe.Pointer(&v)).
//
//go:uintptrescapes
func called(name string, arguments ...uintptr) cuResult {
	f, err := Symbol(name)
	if err != nil {
		panic(err)
	}
	r, _, _ := purego.SyscallN(f, arguments...)
	return cuResult(uint32(r))
}

func ok(t *testing.T, name string, code cuResult) {
	t.Helper()
	if code != success {
		t.Fatalf("%s: %s", name, described(code))
	}
}

func described(code cuResult) string {
	var name, message uintptr
	called("cuGetErrorName", uintptr(code), uintptr(unsafe.Pointer(&name)))
	called("cuGetErrorString", uintptr(code), uintptr(unsafe.Pointer(&message)))
	return text(name) + ": " + text(message)
}

// host is memory whose address may be given to C.
type host struct {
	device, from, count uint64
	handle              uintptr
	bytes               []byte
}

// plugged is a card whose context is current on the test's thread, and a stream.
func plugged(t *testing.T, p Properties) (*Card, uintptr) {
	t.Helper()
	runtime.LockOSThread()
	c := Plug(p)
	h := &host{}
	ok(t, "retain", called("cuDevicePrimaryCtxRetain", uintptr(unsafe.Pointer(&h.handle)), uintptr(c.Index())))
	ok(t, "current", called("cuCtxSetCurrent", h.handle))
	ok(t, "stream", called("cuStreamCreate", uintptr(unsafe.Pointer(&h.handle)), 1))
	t.Cleanup(func() {
		called("cuDevicePrimaryCtxRelease_v2", uintptr(c.Index()))
		called("cuCtxSetCurrent", 0)
		runtime.UnlockOSThread()
	})
	return c, h.handle
}

func alloc(t *testing.T, n int) uint64 {
	t.Helper()
	h := &host{}
	ok(t, "cuMemAlloc", called("cuMemAlloc_v2", uintptr(unsafe.Pointer(&h.device)), uintptr(n)))
	return h.device
}

func small() Properties {
	p := H100
	p.Memory = 1 << 20
	return p
}

func TestMemory(t *testing.T) {
	c, stream := plugged(t, small())
	p := alloc(t, 1000)
	if p%alignment != 0 || p%pageBytes == 0 {
		t.Errorf("an allocation at %#x, want multiples of %d and no more", p, alignment)
	}
	for _, v := range []struct {
		at   uint64
		n    int
		want bool
	}{{p, 1000, true}, {p + 999, 1, true}, {p + 1000, 0, true}, {p + 1000, 1, false}, {p, 1001, false}, {p - 1, 1, false}, {p - 1, 2, false}, {p, -1, false}, {0, 4, false}, {math.MaxUint64, 4, false}, {p, math.MaxInt, false}} {
		if got := c.memory.Valid(v.at, v.n); got != v.want {
			t.Errorf("%d bytes at %d of an allocation of 1000: %v", v.n, int64(v.at-p), got)
		}
	}
	h := &host{bytes: make([]byte, 1000)}
	ok(t, "copy", called("cuMemcpyDtoHAsync_v2", uintptr(unsafe.Pointer(&h.bytes[0])), uintptr(p), 1000, stream))
	if !bytes.Equal(h.bytes, bytes.Repeat([]byte{poison}, 1000)) {
		t.Error("fresh memory is not poisoned")
	}
	q := alloc(t, 1000)
	ok(t, "set", called("cuMemsetD8Async", uintptr(q+10), 7, 20, stream))
	ok(t, "copy", called("cuMemcpyDtoDAsync_v2", uintptr(p), uintptr(q), 1000, stream))
	ok(t, "copy", called("cuMemcpyDtoHAsync_v2", uintptr(unsafe.Pointer(&h.bytes[0])), uintptr(p), 1000, stream))
	if h.bytes[9] != poison || h.bytes[10] != 7 || h.bytes[29] != 7 || h.bytes[30] != poison {
		t.Errorf("bytes around those set: %v", h.bytes[8:32])
	}
	// No more than the free memory can be allocated.
	ok(t, "info", called("cuMemGetInfo_v2", uintptr(unsafe.Pointer(&h.from)), uintptr(unsafe.Pointer(&h.count))))
	if h.count != 1<<20 || h.from != 1<<20-2048 {
		t.Errorf("%d of %d bytes are free with two allocations of 1000", h.from, h.count)
	}
	if code := called("cuMemAlloc_v2", uintptr(unsafe.Pointer(&h.device)), uintptr(h.from+1)); code != outOfMemory {
		t.Errorf("one byte more than there is: %s", described(code))
	}
	whole := alloc(t, int(h.from))
	ok(t, "free", called("cuMemFree_v2", uintptr(whole)))
	ok(t, "free", called("cuMemFree_v2", uintptr(p)))
	if c.memory.Valid(p, 1) {
		t.Error("freed memory is valid")
	}
	if r := alloc(t, 1000); r == p || r == whole {
		t.Error("an address was given out again")
	}
	if code := called("cuMemFree_v2", uintptr(p)); code != invalidValue || !strings.Contains(described(code), "no allocation") {
		t.Errorf("freed twice: %s", described(code))
	}
	// A copy past an end ends the context.
	called("cuMemcpyDtoDAsync_v2", uintptr(q+1), uintptr(q), 1000, stream)
	if code := called("cuStreamSynchronize", stream); code != illegalAddress || !strings.Contains(described(code), "has 1000 bytes") {
		t.Errorf("a copy of 1000 bytes to number 1 of 1000: %s", described(code))
	}
	if code := called("cuMemAlloc_v2", uintptr(unsafe.Pointer(&h.device)), 8); code != illegalAddress {
		t.Errorf("a call after a fault: %s", described(code))
	}
	if err := c.Fault(); err == nil || !strings.Contains(err.Error(), "cuMemcpyDtoDAsync") {
		t.Errorf("the card's fault: %v", err)
	}
	ok(t, "release", called("cuDevicePrimaryCtxRelease_v2", uintptr(c.Index())))
	if c.Left() != 2 {
		t.Errorf("%d allocations were left behind, want 2", c.Left())
	}
	ok(t, "retain", called("cuDevicePrimaryCtxRetain", uintptr(unsafe.Pointer(&h.handle)), uintptr(c.Index())))
	alloc(t, 8)
}

func TestContexts(t *testing.T) {
	a, stream := plugged(t, small())
	h := &host{}
	b := Plug(small())
	ok(t, "retain", called("cuDevicePrimaryCtxRetain", uintptr(unsafe.Pointer(&h.handle)), uintptr(b.Index())))
	p := alloc(t, 64)
	done := make(chan cuResult)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with its context
		done <- called("cuMemFree_v2", uintptr(p))
	}()
	if code := <-done; code != invalidContext {
		t.Errorf("freeing on a thread without a context: %s", described(code))
	}
	ok(t, "current", called("cuCtxSetCurrent", h.handle))
	if code := called("cuStreamSynchronize", stream); code != invalidContext {
		t.Errorf("a stream of card %d in the context of %d: %s", a.Index(), b.Index(), described(code))
	}
	if code := called("cuMemFree_v2", uintptr(p)); code != invalidValue {
		t.Errorf("freeing memory of another card: %s", described(code))
	}
	if code := called("cuDeviceGet", uintptr(unsafe.Pointer(&h.count)), 1000); code != invalidDevice {
		t.Errorf("card 1000: %s", described(code))
	}
	if code := called("cuCtxSetCurrent", 12345); code != invalidContext {
		t.Errorf("a context that is none: %s", described(code))
	}
	ok(t, "release", called("cuDevicePrimaryCtxRelease_v2", uintptr(b.Index())))
}

func TestCapture(t *testing.T) {
	_, stream := plugged(t, small())
	p := alloc(t, 64)
	h := &host{bytes: make([]byte, 64)}
	first := func() byte {
		t.Helper()
		ok(t, "copy", called("cuMemcpyDtoHAsync_v2", uintptr(unsafe.Pointer(&h.bytes[0])), uintptr(p), 64, stream))
		return h.bytes[0]
	}
	ok(t, "begin", called("cuStreamBeginCapture_v2", stream, 2))
	ok(t, "set", called("cuMemsetD8Async", uintptr(p), 5, 64, stream))
	if code := called("cuStreamSynchronize", stream); code != captureUnsupported {
		t.Errorf("waiting for a stream that captures: %s", described(code))
	}
	ok(t, "end", called("cuStreamEndCapture", stream, uintptr(unsafe.Pointer(&h.handle))))
	graph := h.handle
	if v := first(); v != poison {
		t.Errorf("captured work was done: %d", v)
	}
	ok(t, "instantiate", called("cuGraphInstantiateWithFlags", uintptr(unsafe.Pointer(&h.handle)), graph, 0))
	ok(t, "destroy", called("cuGraphDestroy", graph))
	for range 2 {
		ok(t, "set", called("cuMemsetD8Async", uintptr(p), 9, 64, stream))
		ok(t, "launch", called("cuGraphLaunch", h.handle, stream))
		if v := first(); v != 5 {
			t.Errorf("after the graph's launch the byte is %d, want 5", v)
		}
	}
	// A launch of a graph fails if memory that it uses has been freed.
	ok(t, "free", called("cuMemFree_v2", uintptr(p)))
	if code := called("cuGraphLaunch", h.handle, stream); code != illegalAddress {
		t.Errorf("a graph that sets freed memory: %s", described(code))
	}
	ok(t, "destroy", called("cuGraphExecDestroy", h.handle))
	if code := called("cuGraphExecDestroy", h.handle); code != invalidHandle {
		t.Errorf("destroyed twice: %s", described(code))
	}
}

func TestSymbol(t *testing.T) {
	if _, err := Symbol("cuTensorMapEncodeIm2col"); err == nil || !strings.Contains(err.Error(), "cuLaunchKernelEx") {
		t.Errorf("a function that is not emulated: %v", err)
	}
}

func TestEvents(t *testing.T) {
	_, stream := plugged(t, small())
	h := &host{}
	var events [2]uintptr
	for i := range events {
		ok(t, "create", called("cuEventCreate", uintptr(unsafe.Pointer(&h.handle)), 0))
		events[i] = h.handle
	}
	ok(t, "record", called("cuEventRecord", events[0], stream))
	if code := called("cuEventElapsedTime", uintptr(unsafe.Pointer(&h.count)), events[0], events[1]); code != invalidHandle {
		t.Errorf("time until an event that was not recorded: %s", described(code))
	}
	ok(t, "record", called("cuEventRecord", events[1], stream))
	ok(t, "synchronize", called("cuEventSynchronize", events[1]))
	ok(t, "elapsed", called("cuEventElapsedTime", uintptr(unsafe.Pointer(&h.count)), events[0], events[1]))
	if ms := *(*float32)(unsafe.Pointer(&h.count)); !(ms >= 0 && ms < 60_000) {
		t.Errorf("%v ms between two events", ms)
	}
	for _, e := range events {
		ok(t, "destroy", called("cuEventDestroy_v2", e))
	}
}
