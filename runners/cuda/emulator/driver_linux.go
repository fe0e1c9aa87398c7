package emulator

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"syscall"
	"unsafe"

	"github.com/ebitengine/purego"
)

// Properties are what a card reports of itself.
type Properties struct {
	Name            string
	Major, Minor    int // compute capability
	Multiprocessors int
	Memory, L2      int64 // bytes
}

// H100 is a card like the one that the kernels are tuned for.
var H100 = Properties{Name: "emulated H100", Major: 9, Multiprocessors: 132, Memory: 80 << 30, L2: 50 << 20}

// Card is an emulated card. The thread that asks for work does it at once, which keeps the
// order of a stream.
type Card struct {
	Properties
	index    int
	memory   memory
	mu       sync.Mutex
	retained int
	fault    *fault // what ended the context, or nil
	last     error
	left     int
	launches map[string]int
}

// fault is an error that stays until the context is given up.
type fault struct {
	code cuResult
	err  error
}

// machine is the cards of the process, and everything that has a handle.
var machine = struct {
	sync.Mutex
	cards   []*Card
	handles map[uintptr]any
	next    uintptr
	current map[int]*Card // whose context is current, by thread
}{handles: map[uintptr]any{}, current: map[int]*Card{}, next: 0x5eed0000}

// Plug adds a card to the machine, where it stays until the process ends.
func Plug(p Properties) *Card {
	machine.Lock()
	defer machine.Unlock()
	c := &Card{Properties: p, index: len(machine.cards), launches: map[string]int{}}
	machine.cards = append(machine.cards, c)
	return c
}

// Index is the card's number for cuDeviceGet.
func (c *Card) Index() int { return c.index }

// Fault is the last error of a kernel or a copy, in full, or nil.
func (c *Card) Fault() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

// Launches counts the launches of each kernel.
func (c *Card) Launches() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.launches)
}

// Left is how many allocations had not been freed when the context was released.
func (c *Card) Left() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.left
}

// fails records an error after which the context is of no more use.
func (c *Card) fails(code cuResult, err error) cuResult {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = err
	if c.fault == nil {
		c.fault = &fault{code, err}
	}
	return code
}

// state is the code that every call returns after a fault.
func (c *Card) state() cuResult {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fault != nil {
		return c.fault.code
	}
	return success
}

func add(v any) uintptr {
	machine.Lock()
	defer machine.Unlock()
	machine.next += 16
	machine.handles[machine.next] = v
	return machine.next
}

// of returns what a handle stands for; ok is false where it is no such thing.
func of[T any](handle uintptr) (v T, ok bool) {
	machine.Lock()
	defer machine.Unlock()
	v, ok = machine.handles[handle].(T)
	return v, ok
}

func remove[T any](handle uintptr) cuResult {
	if _, ok := of[T](handle); !ok {
		return invalidHandle
	}
	machine.Lock()
	defer machine.Unlock()
	delete(machine.handles, handle)
	return success
}

// current is the card whose context is current on this thread, or nil.
func current() *Card {
	machine.Lock()
	defer machine.Unlock()
	return machine.current[syscall.Gettid()]
}

func card(index uintptr) *Card {
	machine.Lock()
	defer machine.Unlock()
	if i := int(int32(index)); i >= 0 && i < len(machine.cards) {
		return machine.cards[i]
	}
	return nil
}

// context is a card's primary context.
type context struct{ *Card }

// entry is a function of the driver or cuBLAS: the number of its arguments, each of at
// most eight bytes, and what it does.
type entry struct {
	arguments int
	do        func(a []uintptr) cuResult
}

// inContext is an entry that needs a current context in which nothing has failed.
func inContext(arguments int, do func(c *Card, a []uintptr) cuResult) entry {
	return entry{arguments, func(a []uintptr) cuResult {
		c := current()
		if c == nil {
			return refuse(invalidContext, "no context is current on this thread")
		}
		if code := c.state(); code != success {
			return code
		}
		return do(c, a)
	}}
}

// onStream is an entry whose argument of this index is a stream of the current context.
func onStream(arguments, index int, do func(s *stream, a []uintptr) cuResult) entry {
	return inContext(arguments, func(c *Card, a []uintptr) cuResult {
		s, ok := of[*stream](a[index])
		if !ok {
			return refuse(invalidHandle, "%#x is no stream", a[index])
		}
		if s.Card != c {
			return refuse(invalidContext, "a stream of card %d while the context of card %d is current", s.index, c.index)
		}
		return do(s, a)
	})
}

// onDevice is an entry whose argument of this index is a device.
func onDevice(arguments, index int, do func(c *Card, a []uintptr) cuResult) entry {
	return entry{arguments, func(a []uintptr) cuResult {
		c := card(a[index])
		if c == nil {
			return refuse(invalidDevice, "there is no card %d", int32(a[index]))
		}
		return do(c, a)
	}}
}

// entries are filled in by init, since they refer to themselves.
var entries map[string]entry

func init() {
	entries = map[string]entry{
		"cuInit":             {1, func(a []uintptr) cuResult { return success }},
		"cuDriverGetVersion": {1, func(a []uintptr) cuResult { return store(a[0], int32(12080)) }},
		"cuGetErrorName":     {2, func(a []uintptr) cuResult { return errorText(a, results[cuResult(a[0])][0]) }},
		"cuGetErrorString":   {2, func(a []uintptr) cuResult { return errorText(a, describe(cuResult(a[0]))) }},

		"cuDeviceGetCount": {1, func(a []uintptr) cuResult {
			machine.Lock()
			defer machine.Unlock()
			return store(a[0], int32(len(machine.cards)))
		}},
		"cuDeviceGet":          onDevice(2, 1, func(c *Card, a []uintptr) cuResult { return store(a[0], int32(c.index)) }),
		"cuDeviceTotalMem_v2":  onDevice(2, 1, func(c *Card, a []uintptr) cuResult { return store(a[0], uint64(c.Memory)) }),
		"cuDeviceGetName":      onDevice(3, 2, deviceName),
		"cuDeviceGetAttribute": onDevice(3, 2, deviceAttribute),

		"cuDevicePrimaryCtxRetain":     onDevice(2, 1, retain),
		"cuDevicePrimaryCtxRelease_v2": onDevice(1, 0, release),
		"cuCtxSetCurrent":              {1, setCurrent},

		"cuMemAlloc_v2":   inContext(2, allocate),
		"cuMemFree_v2":    {1, func(a []uintptr) cuResult { return give(uint64(a[0]), false) }},
		"cuMemGetInfo_v2": inContext(2, memoryInfo),
		"cuMemHostAlloc":  inContext(3, allocateHost),
		"cuMemFreeHost":   {1, func(a []uintptr) cuResult { return give(uint64(a[0]), true) }},
		"cuMemHostGetDevicePointer_v2": inContext(3, func(c *Card, a []uintptr) cuResult {
			if m := c.memory.find(uint64(a[1]), 1); m == nil || !m.host {
				return refuse(invalidValue, "%#x is no page-locked memory", a[1])
			}
			return store(a[0], uint64(a[1]))
		}),
		"cuMemcpyHtoDAsync_v2": onStream(4, 3, copyIn),
		"cuMemcpyDtoHAsync_v2": onStream(4, 3, copyOut),
		"cuMemcpyDtoDAsync_v2": onStream(4, 3, copyOver),
		"cuMemsetD8Async":      onStream(4, 3, set),

		"cuStreamCreate":          inContext(2, func(c *Card, a []uintptr) cuResult { return store(a[0], add(&stream{Card: c})) }),
		"cuStreamDestroy_v2":      {1, func(a []uintptr) cuResult { return remove[*stream](a[0]) }},
		"cuStreamSynchronize":     onStream(1, 0, synchronize),
		"cuStreamBeginCapture_v2": onStream(2, 0, beginCapture),
		"cuStreamEndCapture":      onStream(2, 0, endCapture),
		"cuGraphInstantiateWithFlags": inContext(3, func(c *Card, a []uintptr) cuResult {
			g, ok := of[*graph](a[1])
			if !ok {
				return refuse(invalidHandle, "%#x is no graph", a[1])
			}
			return store(a[0], add(&executable{&graph{slices.Clone(g.work)}}))
		}),
		"cuGraphLaunch":      onStream(2, 1, launchGraph),
		"cuGraphDestroy":     {1, func(a []uintptr) cuResult { return remove[*graph](a[0]) }},
		"cuGraphExecDestroy": {1, func(a []uintptr) cuResult { return remove[*executable](a[0]) }},

		"cuEventCreate":      inContext(2, func(c *Card, a []uintptr) cuResult { return store(a[0], add(&event{})) }),
		"cuEventDestroy_v2":  {1, func(a []uintptr) cuResult { return remove[*event](a[0]) }},
		"cuEventRecord":      onStream(2, 1, recordEvent),
		"cuEventSynchronize": inContext(1, func(c *Card, a []uintptr) cuResult { return success }),
		"cuEventElapsedTime": inContext(3, elapsed),

		"cuModuleLoadDataEx":  inContext(5, loadModule),
		"cuModuleUnload":      {1, func(a []uintptr) cuResult { return remove[*module](a[0]) }},
		"cuModuleGetFunction": inContext(3, getFunction),
		"cuFuncSetAttribute":  inContext(3, setAttribute),
		"cuLaunchKernelEx":    inContext(4, launchKernel),

		"cuTensorMapEncodeTiled": inContext(12, encodeTiled),

		"cublasCreate_v2": {1, func(a []uintptr) cuResult {
			c := current()
			if c == nil {
				return cublasNotInitialized
			}
			return store(a[0], add(&blas{Card: c}))
		}},
		"cublasDestroy_v2": {1, func(a []uintptr) cuResult { return cublasStatus(remove[*blas](a[0])) }},
		"cublasSetStream_v2": {2, func(a []uintptr) cuResult {
			b, ok := of[*blas](a[0])
			s, is := of[*stream](a[1])
			if !ok || !is || s.Card != b.Card {
				return cublasInvalidValue
			}
			b.stream = s
			return success
		}},
		"cublasSetWorkspace_v2": {3, func(a []uintptr) cuResult {
			if b, ok := of[*blas](a[0]); !ok || b.memory.find(uint64(a[1]), int(a[2])) == nil {
				return cublasInvalidValue
			}
			return success
		}},
		"cublasGetVersion_v2": {2, func(a []uintptr) cuResult { return store(a[1], int32(120000)) }},
		"cublasGemmEx":        {19, gemmEx},
	}
}

// C functions are made of the entries once for the process, since their number is limited.
var callable struct {
	sync.Mutex
	at map[string]uintptr
}

// Symbol returns the address of a C function of the driver or cuBLAS, as dlsym would.
func Symbol(name string) (uintptr, error) {
	callable.Lock()
	defer callable.Unlock()
	if p := callable.at[name]; p != 0 {
		return p, nil
	}
	if name == "cublasGetStatusString" {
		return keep(name, purego.NewCallback(func(status uintptr) uintptr { return cString(cublasText(cuResult(status))) })), nil
	}
	e, ok := entries[name]
	if !ok {
		return 0, fmt.Errorf("emulator: no function %q: have %s", name, strings.Join(slices.Sorted(maps.Keys(entries)), ", "))
	}
	word := reflect.TypeFor[uintptr]()
	kind := reflect.FuncOf(slices.Repeat([]reflect.Type{word}, e.arguments), []reflect.Type{word}, false)
	f := reflect.MakeFunc(kind, func(values []reflect.Value) []reflect.Value {
		a := make([]uintptr, len(values))
		for i, v := range values {
			a[i] = uintptr(v.Uint())
		}
		return []reflect.Value{reflect.ValueOf(uintptr(guarded(name, e, a)))}
	})
	return keep(name, purego.NewCallback(f.Interface())), nil
}

func keep(name string, p uintptr) uintptr {
	if callable.at == nil {
		callable.at = map[string]uintptr{}
	}
	callable.at[name] = p
	return p
}

// guarded turns a panic into an error: a panic must not unwind through C.
func guarded(name string, e entry, a []uintptr) (code cuResult) {
	defer func() {
		if r := recover(); r != nil {
			err := fmt.Errorf("%s: panic: %v", name, r)
			code = refuse(unknown, "%w", err)
			if c := current(); c != nil {
				code = c.fails(unknown, err)
			}
		}
	}()
	return e.do(a)
}

func deviceName(c *Card, a []uintptr) cuResult {
	to := unsafe.Slice((*byte)(hostAt(a[0])), int(a[1]))
	to[copy(to[:len(to)-1], c.Name)] = 0
	return success
}

func deviceAttribute(c *Card, a []uintptr) cuResult {
	values := map[uintptr]int{16: c.Multiprocessors, 38: int(c.L2), 75: c.Major, 76: c.Minor}
	v, ok := values[a[1]]
	if !ok {
		return refuse(notSupported, "attribute %d of a device", a[1])
	}
	return store(a[0], int32(v))
}

func retain(c *Card, a []uintptr) cuResult {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.retained++
	return store(a[0], add(context{c}))
}

func release(c *Card, a []uintptr) cuResult {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.retained == 0 {
		return refuse(invalidContext, "the context of card %d is not held", c.index)
	}
	if c.retained--; c.retained == 0 {
		c.left += c.memory.clear()
		c.fault = nil
	}
	return success
}

func setCurrent(a []uintptr) cuResult {
	var c *Card
	if a[0] != 0 {
		k, ok := of[context](a[0])
		if !ok {
			return refuse(invalidContext, "%#x is no context", a[0])
		}
		c = k.Card
	}
	machine.Lock()
	defer machine.Unlock()
	machine.current[syscall.Gettid()] = c
	return success
}
