package emulator

import (
	"strings"
	"testing"
)

func TestParseErrors(t *testing.T) {
	for text, want := range map[string]string{
		".version 8.0\n.entry a() { .reg .b32 %r<3>;\nadd.s32 %r1, %r2, %r3; }": "line 3: unknown register %r3",
		".entry a() {\nbra nowhere; }":                                          "line 2: unknown label nowhere",
		".entry a() {\nx:\nx: ret; }":                                           "line 3: a second label x",
		".entry a() {\n @%p1 ret; }":                                            `line 2: "%p1" is no predicate`,
		".entry a() {\n ret":                                                    "line 2",
		".entry a() { ret; }\n.entry a() { ret; }":                              "line 2: a second kernel a",
		".address_size 32":                                                      "line 1: addresses of 32 bits",
		"\n/* ":                                                                 "line 2: a comment does not end",
		".entry a() { { .reg .b32 x; } mov.b32 x, x; }\n":                       "",
		".func f() { ret; }":                                                    "line 1: \".func\" is not supported",
	} {
		_, err := Parse(text)
		if want == "" {
			if err != nil { // x is a name then, an error when executed
				t.Errorf("%q: %v", text, err)
			}
		} else if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, not %s", text, err, want)
		}
	}
	m, err := Parse(".entry b() { ret; } .entry a(.param .u64 x, .param .align 8 .b8 y[12]) { ret; }")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Kernel("c"); err == nil || !strings.Contains(err.Error(), `unknown kernel "c": have a, b`) {
		t.Error(err)
	}
	k, err := m.Kernel("a")
	if err != nil {
		t.Fatal(err)
	}
	if p := k.Parameters(); len(p) != 2 || p[0] != 8 || p[1] != 12 {
		t.Errorf("parameters %v", p)
	}
	for _, err := range []error{
		k.Launch(nil, [3]int{1, 1, 1}, [3]int{1, 1, 1}, 0, [][]byte{make([]byte, 8)}, 1),
		k.Launch(nil, [3]int{1, 1, 1}, [3]int{1, 1, 1}, 0, [][]byte{make([]byte, 8), make([]byte, 8)}, 1),
		k.Launch(nil, [3]int{1, 0, 1}, [3]int{1, 1, 1}, 0, [][]byte{make([]byte, 8), make([]byte, 12)}, 1),
		k.Launch(nil, [3]int{1, 1, 1}, [3]int{1025, 1, 1}, 0, [][]byte{make([]byte, 8), make([]byte, 12)}, 1),
		k.Launch(nil, [3]int{1, 1, 1}, [3]int{1, 1, 1}, 1<<20, [][]byte{make([]byte, 8), make([]byte, 12)}, 1),
		k.Launch(nil, [3]int{1, 1, 1}, [3]int{1, 1, 1}, 0, [][]byte{make([]byte, 8), make([]byte, 12)}, 0),
	} {
		if err == nil {
			t.Error("a launch that cannot be has no error")
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(snippet("again: @%p1 bra again; mov.b64 {%r1, _}, %rd1; st.global.v2.f32 [%rd2+-8], {%f3, %f4}; { .reg .pred done; setp.lt.and.s32 done|%p1, %r1, 0x5, !%p2; }"))
	f.Add(snippet(".shared .align 8 .b8 x[8]; mbarrier.try_wait.parity.shared::cta.b64 %p1, [x], 1; cp.async.cg.shared.global [%r1], [%rd1], 16, %r2; lop3.b32 %r1, %r2, %r3, %r4, 0x96; ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r1,%r2,%r3,%r4}, [%r5];"))
	f.Add(snippet("cvt.rn.bf16x2.f32 %r1, %f1, %f2; mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%f1,%f2,%f3,%f4},{%r1,%r2,%r3,%r4},{%r5,%r6},{%f1,%f2,%f3,%f4}; bar.sync 0, 64; atom.global.add.u32 %r1, [%rd1], 1;"))
	f.Add(snippet("mov.b64 %rd4, 0x4000004000000040; setp.eq.u32 %p1, 1, 1; setmaxnreg.inc.sync.aligned.u32 24; wgmma.fence.sync.aligned; wgmma.mma_async.sync.aligned.m64n8k16.f32.f16.f16 {%f0,%f1,%f2,%f3}, %rd4, %rd4, %p1, 1, 1, 0, 1; wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {%f4,%f5,%f6,%f7}, {%r1,%r2,%r3,%r4}, %rd4, 1, 1, 1, 0; wgmma.commit_group.sync.aligned; wgmma.wait_group.sync.aligned 0;"))
	f.Add(snippet(".shared .align 8 .b64 x; mov.u32 %r2, x; mbarrier.init.shared::cta.b64 [%r2], 1; mov.u64 %rd4, test_param_0; cvta.param.u64 %rd4, %rd4; ld.u32 %r3, [%rd4]; cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes [%r2], [%rd4, {%r3, %r4, 0}], [%r2];"))
	f.Add(snippet(".shared .align 8 .b64 x; mov.u32 %r2, x; mbarrier.init.shared::cta.b64 [%r2], 1; barrier.cluster.arrive.release.aligned; barrier.cluster.wait.acquire.aligned; mov.u32 %r3, %cluster_ctarank; mapa.shared::cluster.u32 %r4, %r2, %r3; mbarrier.arrive.shared::cluster.b64 _, [%r4]; mov.u16 %rs1, 3; cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster [%r4], [%rd1], 16, [%r2], %rs1;"))
	f.Fuzz(func(t *testing.T, text string) {
		m, err := Parse(text)
		if err != nil {
			if !strings.Contains(err.Error(), "line ") {
				t.Errorf("no line: %v", err)
			}
			return
		}
		// What decodes can be executed.
		oldStall, oldTotal := stallBudget, totalBudget
		stallBudget, totalBudget = 1<<12, 1<<12
		defer func() { stallBudget, totalBudget = oldStall, oldTotal }()
		for _, k := range m.kernels {
			var a [][]byte
			for _, n := range k.Parameters() {
				a = append(a, make([]byte, n))
			}
			_ = k.LaunchClusters(&arrays{}, [3]int{2, 1, 1}, [3]int{128, 1, 1}, [3]int{2, 1, 1}, 64, a, 2) // any error, no panic
		}
	})
}
