package emulator

import (
	"bytes"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"github.com/ebitengine/purego"
)

// called is a function of the driver, by name. Addresses of Go's go in as
// uintptr(unsafe.Pointer(&v)) in the call itself.
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

// host is memory that C may be given the address of.
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
	// The limit, by what is free.
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
	// What a graph refers to may not be freed before it is launched.
	ok(t, "free", called("cuMemFree_v2", uintptr(p)))
	if code := called("cuGraphLaunch", h.handle, stream); code != illegalAddress {
		t.Errorf("a graph that sets freed memory: %s", described(code))
	}
	ok(t, "destroy", called("cuGraphExecDestroy", h.handle))
	if code := called("cuGraphExecDestroy", h.handle); code != invalidHandle {
		t.Errorf("destroyed twice: %s", described(code))
	}
}

func TestModuleRefused(t *testing.T) {
	p := small()
	p.Major = 8
	_, _ = plugged(t, p)
	for _, c := range []struct {
		source, want string
		code         cuResult
	}{
		{".version 8.0\n.target sm_90\n.address_size 64\n", "sm_90", noBinary},
		{".version 8.0\n.target sm_90a\n.address_size 64\n", "8.0", noBinary},
		{".version 8.0\n", ".target", invalidPTX},
		{".version 8.0\n.target sm_80\n.address_size 64\n.visible .entry broken(\n) {\n\tnonsense.u32 %r1;\n}\n", "", invalidPTX},
	} {
		h := &host{bytes: append([]byte(c.source), 0)}
		log := make([]byte, 300)
		var pins runtime.Pinner
		pins.Pin(&log[0]) // options hide its address from the compiler, which must not put it on a stack
		options := &struct {
			keys   [2]uint32
			values [2]uintptr
		}{keys: [2]uint32{5, 6}, values: [2]uintptr{uintptr(unsafe.Pointer(&log[0])), uintptr(len(log))}}
		code := called("cuModuleLoadDataEx", uintptr(unsafe.Pointer(&h.handle)), uintptr(unsafe.Pointer(&h.bytes[0])), 2,
			uintptr(unsafe.Pointer(&options.keys)), uintptr(unsafe.Pointer(&options.values)))
		message := string(log[:bytes.IndexByte(log, 0)])
		if code != c.code || message == "" || !strings.Contains(message, c.want) {
			t.Errorf("%q: %s, log %q, want %q", c.source, described(code), message, c.want)
		}
		pins.Unpin()
	}
}

// product calls cublasGemmEx on fresh memory for C with columns apart, and returns C.
func product(t *testing.T, stream uintptr, ta, tb int, m, n, k int, a, b, c []float32, kind, out element, lda, ldb, ldc int, beta float32) ([]float32, cuResult) {
	t.Helper()
	put := func(kind element, v []float32) uint64 {
		to := make([]byte, len(v)*kind.size())
		for i := range v {
			kind.write(to[i*kind.size():], v[i])
		}
		p := alloc(t, len(to))
		ok(t, "copy", called("cuMemcpyHtoDAsync_v2", uintptr(p), uintptr(unsafe.Pointer(&to[0])), uintptr(len(to)), stream))
		return p
	}
	pa, pb, pc := put(kind, a), put(kind, b), put(out, c)
	h := &host{}
	ok(t, "create", called("cublasCreate_v2", uintptr(unsafe.Pointer(&h.handle))))
	ok(t, "stream", called("cublasSetStream_v2", h.handle, stream))
	scale := &[2]float32{2, beta}
	code := called("cublasGemmEx", h.handle, uintptr(ta), uintptr(tb), uintptr(m), uintptr(n), uintptr(k),
		uintptr(unsafe.Pointer(&scale[0])), uintptr(pa), uintptr(kind), uintptr(lda), uintptr(pb), uintptr(kind), uintptr(ldb),
		uintptr(unsafe.Pointer(&scale[1])), uintptr(pc), uintptr(out), uintptr(ldc), 68, math.MaxUint64)
	ok(t, "destroy", called("cublasDestroy_v2", h.handle))
	if code != success {
		return nil, code
	}
	back := make([]byte, len(c)*out.size())
	ok(t, "copy", called("cuMemcpyDtoHAsync_v2", uintptr(unsafe.Pointer(&back[0])), uintptr(pc), uintptr(len(back)), stream))
	got := make([]float32, len(c))
	out.read(got, back)
	return got, code
}

func TestGemm(t *testing.T) {
	_, stream := plugged(t, small())
	rng := rand.New(rand.NewPCG(1, 2))
	const m, n, k, gap = 5, 7, 11, 3
	for _, c := range []struct {
		kind, out element
		epsilon   float64
	}{{float32Element, float32Element, 0x1p-23}, {bfloat16Element, float32Element, 0x1p-23}, {bfloat16Element, bfloat16Element, 0x1p-7}, {float16Element, float16Element, 0x1p-10}} {
		for _, how := range [][2]int{{0, 0}, {1, 0}, {0, 1}, {1, 1}} {
			for _, beta := range []float32{0, 1, -0.5} {
				numbers := func(kind element, rows, columns int) ([]float32, int) {
					v := make([]float32, (rows+gap)*columns)
					b := make([]byte, 4)
					for i := range v {
						kind.write(b, float32(rng.NormFloat64()))
						kind.read(v[i:i+1], b)
					}
					return v, rows + gap
				}
				ar, ac, br, bc := m, k, k, n
				if how[0] == 1 {
					ar, ac = ac, ar
				}
				if how[1] == 1 {
					br, bc = bc, br
				}
				a, lda := numbers(c.kind, ar, ac)
				b, ldb := numbers(c.kind, br, bc)
				before, ldc := numbers(c.out, m, n)
				if beta == 0 {
					before[0] = float32(math.NaN()) // which is not read
				}
				got, code := product(t, stream, how[0], how[1], m, n, k, a, b, before, c.kind, c.out, lda, ldb, ldc, beta)
				ok(t, "cublasGemmEx", code)
				for i := range got {
					row, column := i%ldc, i/ldc
					want := float64(before[i])
					if row < m {
						want *= float64(beta)
						if beta == 0 {
							want = 0
						}
						for j := range k {
							x, y := j*lda+row, column*ldb+j
							if how[0] == 1 {
								x = row*lda + j
							}
							if how[1] == 1 {
								y = j*ldb + column
							}
							want += 2 * float64(a[x]) * float64(b[y])
						}
					}
					if diff := math.Abs(float64(got[i]) - want); !(diff <= c.epsilon*math.Abs(want)) {
						t.Fatalf("types %d, %d, operations %v, beta %v: (%d, %d) is %v, want %v", c.kind, c.out, how, beta, row, column, got[i], want)
					}
				}
			}
		}
	}
	v := make([]float32, 64)
	if _, code := product(t, stream, 0, 0, 8, 8, 8, v, v, v, float32Element, float32Element, 7, 8, 8, 0); code != cublasInvalidValue {
		t.Errorf("columns of 8 numbers 7 apart: status %d", code)
	}
	if _, code := product(t, stream, 0, 0, 8, 8, 8, v, v, v, float32Element, bfloat16Element, 8, 8, 8, 0); code != cublasInvalidValue {
		t.Errorf("float32 into bfloat16: status %d", code)
	}
	if _, code := product(t, stream, 0, 0, 8, 8, 9, v, v, v, float32Element, float32Element, 8, 9, 8, 0); code != cublasExecutionFailed {
		t.Errorf("nine columns of a matrix of eight: status %d", code)
	}
	if got := cublasText(cublasExecutionFailed); !strings.Contains(got, "reading A") && !strings.Contains(got, "reading B") {
		t.Errorf("the status says %q", got)
	}
}

// TestElements: every number of a half type stays what it is, and others go to the
// nearest.
func TestElements(t *testing.T) {
	b, v := make([]byte, 2), make([]float32, 1)
	for _, kind := range []element{float16Element, bfloat16Element} {
		values := make([]float64, 0, 1<<15)
		for i := range 1 << 16 {
			b[0], b[1] = byte(i), byte(i>>8)
			kind.read(v, b)
			if v[0] != v[0] {
				continue
			}
			kind.write(b, v[0])
			if got := int(b[0]) | int(b[1])<<8; got != i {
				t.Fatalf("type %d: %#04x is %v, which is %#04x", kind, i, v[0], got)
			}
			if i < 1<<15 && !math.IsInf(float64(v[0]), 0) {
				values = append(values, float64(v[0])) // ascending
			}
		}
		for i := range len(values) - 1 {
			middle := (values[i] + values[i+1]) / 2
			if float64(float32(middle)) != middle {
				continue // below float32's range
			}
			for _, w := range []struct {
				v    float32
				want float64
			}{
				{float32(middle), values[i+i%2]}, // the even one
				{math.Nextafter32(float32(middle), 0), values[i]},
				{math.Nextafter32(float32(middle), math.MaxFloat32), values[i+1]},
			} {
				kind.write(b, w.v)
				kind.read(v, b)
				if float64(v[0]) != w.want {
					t.Fatalf("type %d: %v is %v, want %v (between %v and %v)", kind, w.v, v[0], w.want, values[i], values[i+1])
				}
			}
		}
	}
}

func TestSymbol(t *testing.T) {
	if _, err := Symbol("cuTensorMapEncodeIm2col"); err == nil || !strings.Contains(err.Error(), "cuLaunchKernelEx") {
		t.Errorf("a function that is not emulated: %v", err)
	}
}

// fill writes each thread's number, counted from an argument, to an array.
const fill = `.version 8.0
.target sm_80
.address_size 64
.visible .entry fill(
	.param .u64 fill_param_0,
	.param .u32 fill_param_1
)
.maxntid 64, 1, 1
{
	.shared .align 4 .b8 declared[1024];
	.reg .b32 %r<6>;
	.reg .b64 %rd<4>;
	ld.param.u64 %rd1, [fill_param_0];
	ld.param.u32 %r1, [fill_param_1];
	mov.u32 %r2, %ctaid.x;
	mov.u32 %r3, %ntid.x;
	mov.u32 %r4, %tid.x;
	mad.lo.s32 %r5, %r2, %r3, %r4;
	mul.wide.u32 %rd2, %r5, 4;
	add.s64 %rd3, %rd1, %rd2;
	add.s32 %r5, %r5, %r1;
	st.shared.u32 [declared], %r5;
	st.global.u32 [%rd3], %r5;
	ret;
}
`

func TestLaunch(t *testing.T) {
	c, stream := plugged(t, small())
	h := &host{bytes: append([]byte(fill), 0)}
	ok(t, "load", called("cuModuleLoadDataEx", uintptr(unsafe.Pointer(&h.handle)), uintptr(unsafe.Pointer(&h.bytes[0])), 0, 0, 0))
	module := h.handle
	h.bytes = []byte("fell\x00fill\x00")
	if code := called("cuModuleGetFunction", uintptr(unsafe.Pointer(&h.handle)), module, uintptr(unsafe.Pointer(&h.bytes[0]))); code != notFound || !strings.Contains(described(code), "have fill") {
		t.Errorf("a function that is not there: %s", described(code))
	}
	ok(t, "function", called("cuModuleGetFunction", uintptr(unsafe.Pointer(&h.handle)), module, uintptr(unsafe.Pointer(&h.bytes[5]))))
	function := h.handle
	const n = 128
	p := alloc(t, 4*n)
	arguments := &struct {
		array     uint64
		from      uint32
		addresses [2]unsafe.Pointer
		config    launchConfig
		attribute [2]launchAttribute
	}{array: p, from: 1000}
	arguments.addresses = [2]unsafe.Pointer{unsafe.Pointer(&arguments.array), unsafe.Pointer(&arguments.from)}
	launch := func(change func()) cuResult {
		arguments.config = launchConfig{grid: [3]uint32{n / 32, 1, 1}, block: [3]uint32{32, 1, 1}, stream: stream}
		change()
		return called("cuLaunchKernelEx", uintptr(unsafe.Pointer(&arguments.config)), function, uintptr(unsafe.Pointer(&arguments.addresses)), 0)
	}
	attributes := func(list ...launchAttribute) func() {
		return func() {
			arguments.config.number = uint32(copy(arguments.attribute[:], list))
			arguments.config.attributes = uintptr(unsafe.Pointer(&arguments.attribute))
		}
	}
	programmatic := launchAttribute{id: 6, value: [16]uint32{1}}
	clusters := func(x, y, z uint32) launchAttribute {
		return launchAttribute{id: 4, value: [16]uint32{x, y, z}}
	}
	for name, v := range map[string]struct {
		change func()
		code   cuResult
	}{
		"no blocks":                       {func() { arguments.config.grid[1] = 0 }, invalidValue},
		"too many rows of blocks":         {func() { arguments.config.grid[1] = 65536 }, invalidValue},
		"more threads than .maxntid":      {func() { arguments.config.block[0] = 65 }, invalidValue},
		"more shared memory than unasked": {func() { arguments.config.shared = sharedUnasked - 1024 + 1 }, invalidValue},
		"no stream":                       {func() { arguments.config.stream = 1 }, invalidHandle},
		"an unknown attribute":            {attributes(launchAttribute{id: 3}), notSupported},
		"a known and an unknown one":      {attributes(programmatic, launchAttribute{id: 3}), notSupported},
		"no multiple of the cluster":      {attributes(programmatic, clusters(3, 1, 1)), invalidClusterSize},
		"a cluster without blocks":        {attributes(clusters(2, 0, 1)), invalidClusterSize},
		"more rows in a cluster":          {attributes(clusters(1, 2, 1)), invalidClusterSize},
		"a cluster of 16 blocks": {func() {
			arguments.config.grid[0] = 16
			attributes(clusters(16, 1, 1))()
		}, invalidClusterSize},
	} {
		if code := launch(v.change); code != v.code {
			t.Errorf("%s: %s, want %s", name, described(code), results[v.code][0])
		}
	}
	ok(t, "launch", launch(attributes(programmatic, clusters(4, 1, 1))))
	ok(t, "launch", launch(func() { arguments.config.shared = sharedUnasked - 1024 }))
	const maxDynamicShared = 8
	if code := called("cuFuncSetAttribute", function, maxDynamicShared, uintptr(c.sharedMost()-1023)); code != invalidValue {
		t.Errorf("more shared memory than the card has: %s", described(code))
	}
	ok(t, "attribute", called("cuFuncSetAttribute", function, maxDynamicShared, uintptr(c.sharedMost()-1024)))
	ok(t, "launch", launch(func() { arguments.config.shared = uint32(c.sharedMost() - 1024) }))
	h.bytes = make([]byte, 4*n)
	ok(t, "copy", called("cuMemcpyDtoHAsync_v2", uintptr(unsafe.Pointer(&h.bytes[0])), uintptr(p), 4*n, stream))
	for i := range n {
		if got := *(*uint32)(unsafe.Pointer(&h.bytes[4*i])); got != 1000+uint32(i) {
			t.Fatalf("number %d is %d", i, got)
		}
	}
	if got := c.Launches()["fill"]; got != 3 {
		t.Errorf("%d launches were counted, want 3", got)
	}
	// What a captured launch takes is read when it is captured.
	ok(t, "begin", called("cuStreamBeginCapture_v2", stream, 2))
	ok(t, "launch", launch(func() { arguments.from = 5 }))
	ok(t, "end", called("cuStreamEndCapture", stream, uintptr(unsafe.Pointer(&h.handle))))
	arguments.from = 9
	ok(t, "instantiate", called("cuGraphInstantiateWithFlags", uintptr(unsafe.Pointer(&h.handle)), h.handle, 0))
	ok(t, "launch", called("cuGraphLaunch", h.handle, stream))
	ok(t, "copy", called("cuMemcpyDtoHAsync_v2", uintptr(unsafe.Pointer(&h.bytes[0])), uintptr(p), 4*n, stream))
	if got := *(*uint32)(unsafe.Pointer(&h.bytes[0])); got != 5 {
		t.Errorf("the graph wrote %d, want 5", got)
	}
	// One block more than the array has room for.
	if code := launch(func() { arguments.config.grid[0]++ }); code != illegalAddress || !strings.Contains(described(code), "st.global.u32") {
		t.Errorf("128 numbers for 160 threads: %s", described(code))
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
