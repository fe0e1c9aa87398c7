package emulator

import (
	"bytes"
	"runtime"
	"strings"
	"testing"
	"unsafe"
)

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
		pins.Pin(&log[0]) // its address is hidden in the options, so the compiler might put it on the stack
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
	// A captured launch's arguments are read when it is captured.
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
