package emulator

import (
	"runtime"
	"strings"
	"testing"
	"unsafe"
)

// ranks writes each block's rank in its cluster, counted from an argument.
const ranks = `.version 8.0
.target sm_80
.address_size 64
.visible .entry ranks(.param .u64 out, .param .u32 from)
{
	.reg .b32 %r<4>;
	.reg .b64 %rd<4>;
	ld.param.u64 %rd1, [out];
	ld.param.u32 %r1, [from];
	mov.u32 %r2, %cluster_ctarank;
	add.u32 %r2, %r2, %r1;
	mov.u32 %r3, %ctaid.x;
	mul.wide.u32 %rd2, %r3, 4;
	add.s64 %rd1, %rd1, %rd2;
	st.global.u32 [%rd1], %r2;
	ret;
}
`

// A launch's clusters are as its attribute says, captured or not, with the other attribute
// beside it or not; cards before 9.0 refuse the attribute.
func TestLaunchClusters(t *testing.T) {
	const blocks = 8
	type arguments struct {
		out        uint64
		from       uint32
		addresses  [2]unsafe.Pointer
		config     launchConfig
		attributes [2]launchAttribute
	}
	prepare := func(t *testing.T, p Properties) (h *host, stream uintptr, launch func(from, cluster uint32) cuResult) {
		_, stream = plugged(t, p)
		h = &host{bytes: append([]byte(ranks), 0)}
		ok(t, "load", called("cuModuleLoadDataEx", uintptr(unsafe.Pointer(&h.handle)), uintptr(unsafe.Pointer(&h.bytes[0])), 0, 0, 0))
		name := []byte("ranks\x00")
		ok(t, "function", called("cuModuleGetFunction", uintptr(unsafe.Pointer(&h.handle)), h.handle, uintptr(unsafe.Pointer(&name[0]))))
		function := h.handle
		a := &arguments{out: alloc(t, 4*blocks)}
		h.device = a.out
		var pins runtime.Pinner
		pins.Pin(a)
		t.Cleanup(pins.Unpin)
		a.addresses = [2]unsafe.Pointer{unsafe.Pointer(&a.out), unsafe.Pointer(&a.from)}
		return h, stream, func(from, cluster uint32) cuResult {
			a.from = from
			a.attributes = [2]launchAttribute{{id: 4, value: [16]uint32{cluster, 1, 1}}, {id: 6, value: [16]uint32{1}}}
			a.config = launchConfig{grid: [3]uint32{blocks, 1, 1}, block: [3]uint32{1, 1, 1}, stream: stream, attributes: uintptr(unsafe.Pointer(&a.attributes)), number: 2}
			return called("cuLaunchKernelEx", uintptr(unsafe.Pointer(&a.config)), function, uintptr(unsafe.Pointer(&a.addresses)), 0)
		}
	}
	t.Run("9.0", func(t *testing.T) {
		h, stream, launch := prepare(t, small())
		check := func(from, cluster int) {
			t.Helper()
			var got [blocks]uint32
			ok(t, "copy", called("cuMemcpyDtoHAsync_v2", uintptr(unsafe.Pointer(&got)), uintptr(h.device), 4*blocks, stream))
			for i, v := range got {
				if int(v) != from+i%cluster {
					t.Fatalf("block %d wrote %d, not %d", i, v, from+i%cluster)
				}
			}
		}
		ok(t, "launch", launch(100, 2))
		check(100, 2)
		ok(t, "begin", called("cuStreamBeginCapture_v2", stream, 2))
		ok(t, "launch", launch(200, 4))
		if code := launch(200, 16); code != invalidClusterSize || !strings.Contains(described(code), "clusters of") {
			t.Errorf("16 blocks to a cluster: %s", described(code))
		}
		ok(t, "end", called("cuStreamEndCapture", stream, uintptr(unsafe.Pointer(&h.handle))))
		check(100, 2)
		ok(t, "launch", launch(300, 1))
		ok(t, "instantiate", called("cuGraphInstantiateWithFlags", uintptr(unsafe.Pointer(&h.handle)), h.handle, 0))
		ok(t, "launch", called("cuGraphLaunch", h.handle, stream))
		check(200, 4)
	})
	t.Run("8.9", func(t *testing.T) {
		p := small()
		p.Major, p.Minor = 8, 9
		_, _, launch := prepare(t, p)
		if code := launch(0, 2); code != notSupported || !strings.Contains(described(code), "attribute 4") {
			t.Errorf("clusters: %s", described(code))
		}
	})
}
