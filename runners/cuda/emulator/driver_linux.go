package emulator

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
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

// Card is an emulated card. Work is done at once, by the thread that asks for it: that
// keeps the order of streams.
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

// Plug adds a card to the machine, which it stays in until the process ends.
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

// Left is how many allocations were never freed when the context was given up.
func (c *Card) Left() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.left
}

// fails ends the context.
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

// cuResult is CUresult.
type cuResult uint32

const (
	success            cuResult = 0
	invalidValue       cuResult = 1
	outOfMemory        cuResult = 2
	invalidDevice      cuResult = 101
	noBinary           cuResult = 209
	invalidContext     cuResult = 201
	invalidPTX         cuResult = 218
	invalidHandle      cuResult = 400
	notFound           cuResult = 500
	illegalAddress     cuResult = 700
	outOfResources     cuResult = 701
	launchFailed       cuResult = 719
	notSupported       cuResult = 801
	captureUnsupported cuResult = 900
	unknown            cuResult = 999
)

// results are the names and texts of the driver's documentation.
var results = map[cuResult][2]string{
	success:            {"CUDA_SUCCESS", "no error"},
	invalidValue:       {"CUDA_ERROR_INVALID_VALUE", "invalid argument"},
	outOfMemory:        {"CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
	invalidDevice:      {"CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
	noBinary:           {"CUDA_ERROR_NO_BINARY_FOR_GPU", "no kernel image is available for execution on the device"},
	invalidContext:     {"CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
	invalidPTX:         {"CUDA_ERROR_INVALID_PTX", "a PTX JIT compilation failed"},
	invalidHandle:      {"CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
	notFound:           {"CUDA_ERROR_NOT_FOUND", "named symbol not found"},
	illegalAddress:     {"CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"},
	outOfResources:     {"CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", "too many resources requested for launch"},
	launchFailed:       {"CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
	notSupported:       {"CUDA_ERROR_NOT_SUPPORTED", "operation not supported"},
	captureUnsupported: {"CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED", "operation not permitted when stream is capturing"},
	unknown:            {"CUDA_ERROR_UNKNOWN", "unknown error"},
}

// said is the last error of a call that no card's context stands for.
var said struct {
	sync.Mutex
	code cuResult
	err  error
}

func refuse(code cuResult, format string, a ...any) cuResult {
	said.Lock()
	defer said.Unlock()
	said.code, said.err = code, fmt.Errorf(format, a...)
	return code
}

// describe is the text of an error, with what the emulator knows of the last such.
func describe(code cuResult) string {
	text := results[code][1]
	var err error
	if c := current(); c != nil {
		c.mu.Lock()
		if c.fault != nil && c.fault.code == code {
			err = c.fault.err
		}
		c.mu.Unlock()
	}
	said.Lock()
	if err == nil && said.code == code {
		err = said.err
	}
	said.Unlock()
	if err != nil {
		text += ": " + err.Error()
	}
	return text
}

// kept holds C strings, which callers may read for good.
var kept struct {
	sync.Mutex
	texts map[string][]byte
}

func cString(s string) uintptr {
	kept.Lock()
	defer kept.Unlock()
	b := kept.texts[s]
	if b == nil {
		if kept.texts == nil {
			kept.texts = map[string][]byte{}
		}
		b = append([]byte(s), 0)
		kept.texts[s] = b
	}
	return uintptr(unsafe.Pointer(&b[0]))
}

// hostAt is memory of the caller's.
func hostAt(p uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&p)) }

func store[T any](p uintptr, v T) cuResult {
	if p == 0 {
		return refuse(invalidValue, "a null pointer for a result")
	}
	*(*T)(hostAt(p)) = v
	return success
}

func text(p uintptr) string {
	n := 0
	for *(*byte)(unsafe.Add(hostAt(p), n)) != 0 {
		n++
	}
	return string(unsafe.Slice((*byte)(hostAt(p)), n))
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

// stream runs its work at once, or, while it captures, keeps it.
type stream struct {
	*Card
	capture *graph
}

// do runs work or captures it.
func (s *stream) do(work func() cuResult) cuResult {
	if s.capture != nil {
		s.capture.work = append(s.capture.work, work)
		return success
	}
	if code := s.state(); code != success {
		return code
	}
	return work()
}

// graph is captured work; executable is a copy that can be launched.
type graph struct{ work []func() cuResult }
type executable struct{ *graph }

type event struct{ at time.Time }

type module struct {
	*Card
	*Module
	threads map[string]int // .maxntid of the kernels that have one
}

type kernelHandle struct {
	*Card
	*Kernel
	name       string
	threads    int // the most of a block
	shared     int // dynamic shared memory that a block may have
	parameters []int
}

type blas struct {
	*stream
	*Card
}

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

// entries are filled in when the package starts, for they refer to themselves.
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

// The functions are made into C's once for the process, for their number is limited.
var callable struct {
	sync.Mutex
	at map[string]uintptr
}

// Symbol returns the address of a function of the driver or cuBLAS, to be called as
// C does, as dlsym of either library would. cuTensorMapEncodeTiled is not among them:
// what it is for, the copy engine's tiles and wgmma, is not emulated.
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

// guarded turns a panic, which may not cross C, into an error.
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

func errorText(a []uintptr, s string) cuResult {
	if _, ok := results[cuResult(a[0])]; !ok {
		return invalidValue
	}
	return store(a[1], cString(s))
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

// give frees memory, after a fault too.
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

// moves runs f on the bytes at an address, or ends the context.
func (c *Card) moves(what string, address uint64, n int, f func(b []byte)) cuResult {
	b, err := c.memory.bytes(what, address, n)
	if err != nil {
		return c.fails(illegalAddress, err)
	}
	f(b)
	return success
}

func copyIn(s *stream, a []uintptr) cuResult {
	return s.do(func() cuResult {
		return s.moves("cuMemcpyHtoDAsync: writing", uint64(a[0]), int(a[2]), func(b []byte) {
			copy(b, unsafe.Slice((*byte)(hostAt(a[1])), len(b)))
		})
	})
}

func copyOut(s *stream, a []uintptr) cuResult {
	return s.do(func() cuResult {
		return s.moves("cuMemcpyDtoHAsync: reading", uint64(a[1]), int(a[2]), func(b []byte) {
			copy(unsafe.Slice((*byte)(hostAt(a[0])), len(b)), b)
		})
	})
}

func copyOver(s *stream, a []uintptr) cuResult {
	return s.do(func() cuResult {
		return s.moves("cuMemcpyDtoDAsync: reading", uint64(a[1]), int(a[2]), func(from []byte) {
			s.moves("cuMemcpyDtoDAsync: writing", uint64(a[0]), int(a[2]), func(to []byte) { copy(to, from) })
		})
	})
}

func set(s *stream, a []uintptr) cuResult {
	return s.do(func() cuResult {
		return s.moves("cuMemsetD8Async: writing", uint64(a[0]), int(a[2]), func(b []byte) {
			for i := range b {
				b[i] = byte(a[1])
			}
		})
	})
}

func synchronize(s *stream, a []uintptr) cuResult {
	if s.capture != nil {
		return refuse(captureUnsupported, "waiting for a stream that captures")
	}
	return s.state()
}

func beginCapture(s *stream, a []uintptr) cuResult {
	if s.capture != nil {
		return refuse(captureUnsupported, "the stream captures already")
	}
	s.capture = &graph{}
	return success
}

func endCapture(s *stream, a []uintptr) cuResult {
	if s.capture == nil {
		return refuse(invalidValue, "the stream does not capture")
	}
	g := s.capture
	s.capture = nil
	return store(a[1], add(g))
}

func launchGraph(s *stream, a []uintptr) cuResult {
	g, ok := of[*executable](a[0])
	if !ok {
		return refuse(invalidHandle, "%#x is no instantiated graph", a[0])
	}
	return s.do(func() cuResult {
		for _, work := range g.work {
			if code := work(); code != success {
				return code
			}
		}
		return success
	})
}

func recordEvent(s *stream, a []uintptr) cuResult {
	e, ok := of[*event](a[0])
	if !ok {
		return refuse(invalidHandle, "%#x is no event", a[0])
	}
	return s.do(func() cuResult {
		e.at = time.Now()
		return success
	})
}

func elapsed(c *Card, a []uintptr) cuResult {
	from, ok := of[*event](a[1])
	to, is := of[*event](a[2])
	if !ok || !is || from.at.IsZero() || to.at.IsZero() {
		return refuse(invalidHandle, "an event that was not recorded")
	}
	return store(a[0], float32(to.at.Sub(from.at).Seconds()*1000))
}

var (
	targetLine  = regexp.MustCompile(`(?m)^\.target\s+sm_(\d+)(a?)`)
	threadsLine = regexp.MustCompile(`\.entry\s+(\w+)\s*\([^)]*\)\s*\.maxntid\s+(\d+)`)
)

// loadModule reads PTX. The compiler's options that are looked at are where to say
// what is wrong (CU_JIT_ERROR_LOG_BUFFER and its size).
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
	m := &module{Card: c, Module: parsed, threads: map[string]int{}}
	for _, k := range threadsLine.FindAllStringSubmatch(source, -1) {
		m.threads[k[1]], _ = strconv.Atoi(k[2])
	}
	return store(a[0], add(m))
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
	f := &kernelHandle{Card: c, Kernel: k, name: name, threads: 1024, shared: sharedUnasked, parameters: k.Parameters()}
	if n, ok := m.threads[name]; ok {
		f.threads = n
	}
	return store(a[0], add(f))
}

// sharedUnasked is the dynamic shared memory that a block may have without asking.
const sharedUnasked = 48 << 10

// sharedMost is what it may ask for (CUDA C++ Programming Guide, compute capabilities).
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
	if n := int(int32(a[2])); a[1] != maxDynamicShared || n < 0 || n > c.sharedMost() {
		return refuse(invalidValue, "%s: attribute %d cannot be %d; dynamic shared memory (8) can be %d", f.name, a[1], int32(a[2]), c.sharedMost())
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
	id uint32
	_  uint32
	_  [8]uint64
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
		return refuse(invalidValue, "%s: %d bytes of dynamic shared memory, %d were asked for", f.name, config.shared, f.shared)
	}
	const programmaticSerialization = 6
	for i := range int(config.number) {
		at := *(*launchAttribute)(unsafe.Add(hostAt(config.attributes), i*int(unsafe.Sizeof(launchAttribute{}))))
		if at.id != programmaticSerialization || c.Major < 9 {
			return refuse(notSupported, "%s: launch attribute %d on compute capability %d.%d", f.name, at.id, c.Major, c.Minor)
		}
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
		err := f.Launch(w, grid, block, int(config.shared), arguments, c.resident())
		if err == nil {
			return success
		}
		return c.fails(w.code(), fmt.Errorf("%s: grid %v of %v: %w", f.name, grid, block, err))
	})
}

// resident is how many blocks run at a time.
func (c *Card) resident() int { return 2 * c.Multiprocessors }

// cuBLAS's statuses.
const (
	cublasNotInitialized  cuResult = 1
	cublasInvalidValue    cuResult = 7
	cublasExecutionFailed cuResult = 13
)

func cublasStatus(code cuResult) cuResult {
	if code != success {
		return cublasInvalidValue
	}
	return success
}

func cublasText(status cuResult) string {
	s, ok := map[cuResult]string{
		success: "CUBLAS_STATUS_SUCCESS", cublasNotInitialized: "CUBLAS_STATUS_NOT_INITIALIZED",
		cublasInvalidValue: "CUBLAS_STATUS_INVALID_VALUE", cublasExecutionFailed: "CUBLAS_STATUS_EXECUTION_FAILED",
	}[status]
	if !ok {
		return "an unknown status"
	}
	if c := current(); c != nil && status == cublasExecutionFailed {
		if err := c.Fault(); err != nil {
			s += ": " + err.Error()
		}
	}
	said.Lock()
	defer said.Unlock()
	if status == cublasInvalidValue && said.err != nil {
		s += ": " + said.err.Error()
	}
	return s
}

// gemmEx is cublasGemmEx for numbers that lie on the host, alpha and beta.
func gemmEx(a []uintptr) cuResult {
	b, ok := of[*blas](a[0])
	if !ok || b.stream == nil {
		return cublasNotInitialized
	}
	const plain, transpose, float32Sums = 0, 1, 68
	refused := func(format string, a ...any) cuResult {
		refuse(invalidValue, "cublasGemmEx: "+format, a...)
		return cublasInvalidValue
	}
	if a[1] > transpose || a[2] > transpose {
		return refused("operations %d and %d: have 0 (none), 1 (transpose)", a[1], a[2])
	}
	if uint32(a[17]) != float32Sums {
		return refused("sums of type %d: have 68 (float32)", uint32(a[17]))
	}
	m, n, k := int(int32(a[3])), int(int32(a[4])), int(int32(a[5]))
	alpha, beta := *(*float32)(hostAt(a[6])), *(*float32)(hostAt(a[13]))
	stored := func(transposed bool, rows, columns int, address, kind, leading uintptr) matrix {
		if transposed {
			rows, columns = columns, rows
		}
		return matrix{element(kind), uint64(address), rows, columns, int(int32(leading))}
	}
	first := stored(a[1] == transpose, m, k, a[7], a[8], a[9])
	second := stored(a[2] == transpose, k, n, a[10], a[11], a[12])
	out := stored(false, m, n, a[14], a[15], a[16])
	code := b.stream.do(func() cuResult {
		invalid, err := gemm(&b.Card.memory, a[1] == transpose, a[2] == transpose, first, second, out, k, alpha, beta)
		if invalid != nil {
			return refused("%w", invalid)
		}
		if err != nil {
			b.Card.fails(illegalAddress, err)
			return cublasExecutionFailed
		}
		return success
	})
	if code != success && code != cublasInvalidValue {
		return cublasExecutionFailed
	}
	return code
}

// watched is a card's memory that remembers whether a kernel went astray.
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
