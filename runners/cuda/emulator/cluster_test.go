package emulator

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// clusterKernel is a kernel around a body for blocks of a warp. %r1 is the thread, %r2
// the block's rank, %r3 a barrier for one arrival and %r4 one for two, %r5 an address in
// shared memory that is a multiple of 1024, %r6 a block's rank that is not its own, %rd1
// eight bytes of out for each thread of the grid, %rd2 a tensor map. %p1 is the first
// thread, %p2 are the first two.
func clusterKernel(body string) string {
	return `.version 8.3
.target sm_90
.address_size 64
.extern .shared .align 16 .b8 room[];
.visible .entry test(.param .align 64 .b8 map[128], .param .u64 out)
{
	.reg .pred %p<8>;
	.reg .b16 %rs<4>;
	.reg .b32 %r<32>;
	.reg .b64 %rd<32>;
	.shared .align 8 .b64 full;
	.shared .align 8 .b64 empty;
	mov.u32 %r1, %tid.x;
	mov.u32 %r2, %cluster_ctarank;
	mov.u32 %r3, full;
	mov.u32 %r4, empty;
	mov.u32 %r5, room;
	add.u32 %r5, %r5, 1023;
	and.b32 %r5, %r5, 0xfffffc00;
	xor.b32 %r6, %r2, 1;
	mov.u32 %r7, %ctaid.x;
	mad.lo.u32 %r7, %r7, 32, %r1;
	mul.wide.u32 %rd3, %r7, 8;
	ld.param.u64 %rd1, [out];
	add.s64 %rd1, %rd1, %rd3;
	mov.u64 %rd3, map;
	cvta.param.u64 %rd2, %rd3;
	setp.eq.u32 %p1, %r1, 0;
	setp.lt.u32 %p2, %r1, 2;
	@%p1 mbarrier.init.shared::cta.b64 [%r3], 1;
	@%p1 mbarrier.init.shared::cta.b64 [%r4], 2;
	fence.mbarrier_init.release.cluster;
` + body + "\n\tret;\n}\n"
}

const clusterSync = "\tbarrier.cluster.arrive.release.aligned;\n\tbarrier.cluster.wait.acquire.aligned;\n"

// awaitPhase is the text of a wait for a phase of a barrier.
func awaitPhase(barrier string, parity int) string {
	return fmt.Sprintf("{\nagain:\n\tmbarrier.try_wait.parity.shared::cta.b64 %%p3, [%s], %d;\n\t@!%%p3 bra again;\n}\n", barrier, parity)
}

// inClusters runs a cluster kernel on so many blocks, with room for some.
func inClusters(t *testing.T, body string, blocks, cluster, resident int, memory *arrays, m [128]byte) ([]uint64, error) {
	t.Helper()
	module, err := Parse(clusterKernel(body))
	if err != nil {
		t.Fatalf("%v\n%s", err, body)
	}
	out := make([]uint64, 32*blocks)
	err = module.kernels["test"].LaunchClusters(memory, [3]int{blocks, 1, 1}, [3]int{32, 1, 1}, [3]int{cluster, 1, 1}, 16<<10,
		arguments(m, address(memory, out)), resident)
	return out, err
}

func TestClusterRegisters(t *testing.T) {
	names := []string{"cluster_ctarank", "cluster_nctarank", "cluster_ctaid.x", "cluster_ctaid.y", "cluster_ctaid.z",
		"cluster_nctaid.x", "cluster_nctaid.y", "cluster_nctaid.z", "clusterid.x", "clusterid.y", "clusterid.z", "nclusterid.x", "nclusterid.y", "nclusterid.z"}
	body := "\tmov.u32 %r1, %ctaid.z; mov.u32 %r2, %nctaid.y; mov.u32 %r3, %ctaid.y; mad.lo.u32 %r1, %r1, %r2, %r3;" +
		"mov.u32 %r2, %nctaid.x; mov.u32 %r3, %ctaid.x; mad.lo.u32 %r1, %r1, %r2, %r3; mul.wide.u32 %rd3, %r1, 64; add.s64 %rd2, %rd2, %rd3;\n"
	for i, name := range names {
		body += fmt.Sprintf("\tmov.u32 %%r2, %%%s; st.global.u32 [%%rd2+%d], %%r2;\n", name, 4*i)
	}
	m, err := Parse(snippet(body))
	if err != nil {
		t.Fatal(err)
	}
	grid, cluster := [3]int{4, 6, 4}, [3]int{2, 1, 4}
	for _, resident := range []int{1, 9, 16, 100} {
		out := make([][16]uint32, grid[0]*grid[1]*grid[2])
		var memory arrays
		a := address(&memory, out)
		if err := m.kernels["test"].LaunchClusters(&memory, grid, [3]int{1, 1, 1}, cluster, 0, arguments(a, a), resident); err != nil {
			t.Fatal(err)
		}
		for z := range grid[2] {
			for y := range grid[1] {
				for x := range grid[0] {
					want := [16]uint32{uint32(x%2 + z%4*2), 8, uint32(x % 2), 0, uint32(z % 4), 2, 1, 4, uint32(x / 2), uint32(y), uint32(z / 4), 2, 6, 1}
					if got := out[(z*grid[1]+y)*grid[0]+x]; got != want {
						t.Errorf("block (%d,%d,%d): %v\nnot %v of %v", x, y, z, got, want, names)
					}
				}
			}
		}
	}
}

// Blocks read, write and count in each other's memory; a cluster's blocks run together
// whatever the number of resident blocks.
func TestClustersShareMemory(t *testing.T) {
	const body = `
	mov.u32 %r10, %cluster_nctarank;
	add.u32 %r11, %r2, 1;
	rem.u32 %r11, %r11, %r10;
	mapa.shared::cluster.u32 %r12, %r5, %r11;
	mapa.shared::cluster.u32 %r13, room, 0;
	st.shared.u32 [room+2048], 0;
` + clusterSync + `
	mad.lo.u32 %r14, %r1, 4, %r12;
	mad.lo.u32 %r15, %r2, 100, %r1;
	st.shared::cluster.u32 [%r14], %r15;
	red.relaxed.cluster.shared::cluster.add.u32 [%r13+2048], 1;
` + clusterSync + `
	mad.lo.u32 %r14, %r1, 4, %r5;
	ld.shared::cluster.u32 %r16, [%r14];
	cvt.u64.u32 %rd4, %r13;
	cvta.shared::cluster.u64 %rd5, %rd4;
	ld.u32 %r17, [%rd5+2048];
	st.global.v2.u32 [%rd1], {%r16, %r17};
` + clusterSync
	for _, cluster := range []int{1, 2, 4, 8} {
		for _, resident := range []int{1, 3, 8, 17} {
			got, err := inClusters(t, body, 16, cluster, resident, &arrays{}, [128]byte{})
			if err != nil {
				t.Fatalf("clusters of %d, room for %d: %v", cluster, resident, err)
			}
			for i, v := range got {
				if from := (i/32 + cluster - 1) % cluster; int(uint32(v)) != 100*from+i%32 || int(v>>32) != 32*cluster {
					t.Fatalf("clusters of %d, room for %d: thread %d of block %d has %d of %d", cluster, resident, i%32, i/32, uint32(v), v>>32)
				}
			}
		}
	}
}

// Barriers do not wait for warps and blocks that have exited.
func TestClusterBarrierWithoutTheExited(t *testing.T) {
	const body = `
	setp.ge.u32 %p3, %r1, 20;
	@%p3 ret;
	setp.ne.u32 %p4, %r2, 0;
	barrier.cluster.arrive.relaxed;
	@%p4 ret;
	barrier.cluster.wait;
	barrier.cluster.arrive;
	barrier.cluster.wait;
	st.global.u64 [%rd1], 7;
`
	got, err := inClusters(t, body, 2, 2, 1, &arrays{}, [128]byte{})
	if err != nil || got[0] != 7 || got[19] != 7 || got[20] != 0 || got[32] != 0 {
		t.Errorf("%d, %v", got, err)
	}
}

func TestClusterMistakes(t *testing.T) {
	const bytesTo = "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes"
	old := stallBudget
	stallBudget = 1 << 16
	defer func() { stallBudget = old }()
	first := "\tsetp.ne.u32 %p4, %r2, 0;\n\t@%p4 ret;\n" // the others exit
	for _, c := range []struct{ body, want string }{
		{"barrier.cluster.wait.aligned;", "without having arrived"},
		{clusterSync + "barrier.cluster.wait.aligned;", "without having arrived"},
		{"barrier.cluster.arrive.aligned; barrier.cluster.arrive.aligned;", "again without a wait"},
		{"setp.eq.u32 %p4, %r2, 0; @!%p4 bra other; barrier.cluster.arrive.aligned; barrier.cluster.wait.aligned; ret; other:" + awaitPhase("%r3", 0), "barrier.cluster.wait.aligned;"},
		{"@%p1 bra end; barrier.cluster.arrive.aligned; end: bar.warp.sync -1;", "lanes of the warp wait for each other"},
		{"barrier.cluster.arrive.acquire;", "unknown instruction"},
		{"barrier.cluster.sync;", "unknown instruction"},
		{"mapa.shared::cluster.u32 %r10, %r5, 2;", "block 2 of a cluster of 2"},
		{"mapa.shared::cluster.u32 %r10, %r5, %r6; ld.shared.u32 %r11, [%r10];", "bytes at shared address 0x2"},
		{"mapa.shared::cluster.u32 %r10, %r5, %r6; add.u32 %r10, %r10, 16384; ld.shared::cluster.u32 %r11, [%r10];", "4 bytes at shared::cluster address 0x2"},
		{"add.u32 %r10, %r5, 0x3000000; ld.shared::cluster.u32 %r11, [%r10];", "shared memory has"}, // a third block
		{"mapa.shared::cluster.u32 %r10, %r3, %r6; mbarrier.arrive.shared::cluster.b64 _, [%r10];", "was not initialised"},
		{clusterSync + "mapa.shared::cluster.u32 %r10, %r3, %r6; mbarrier.arrive.shared::cluster.b64 %rd9, [%r10];", "no state comes back"},
		{clusterSync + "mapa.shared::cluster.u32 %r10, %r3, %r6; mbarrier.try_wait.parity.shared::cluster.b64 %p3, [%r10], 0;", "another block's barrier"},
		{first + clusterSync + "mapa.shared::cluster.u32 %r10, %r3, %r6; mbarrier.arrive.shared::cluster.b64 _, [%r10];", "block [1 0 0], which has exited"},
		{first + clusterSync + "mapa.shared::cluster.u32 %r10, %r5, %r6; ld.shared::cluster.u32 %r10, [%r10];", "which has exited"},
		{clusterSync + bytesTo + ".multicast::cluster [%r5], [%rd1], 16, [%r3], 4;", "the mask 0x4 of blocks, in a cluster of 2"},
		{clusterSync + bytesTo + ".multicast::cluster [%r5], [%rd1], 16, [%r3], 0;", "the mask 0x0 of blocks"},
		{bytesTo + ".multicast::cluster [%r5], [%rd1], 16, [%r3], 2;", "was not initialised"},
		{first + clusterSync + bytesTo + ".multicast::cluster [%r5], [%rd1], 16, [%r3], 3;", "block [1 0 0] has exited"},
		{first + clusterSync + "mapa.shared::cluster.u32 %r10, %r5, %r6; " + bytesTo + " [%r10], [%rd1], 16, [%r3];", "which has exited"},
		{clusterSync + "mapa.shared::cluster.u32 %r10, %r5, %r6; " + bytesTo + " [%r10], [%rd1], 16, [%r3];", "their barrier is in block"},
		{clusterSync + "mapa.shared::cluster.u32 %r10, %r5, %r6; cp.async.bulk.shared::cta.global.mbarrier::complete_tx::bytes [%r10], [%rd1], 16, [%r3];", "16 bytes at shared address 0x1"},
		{"@%p1 " + bytesTo + " [%r5], [%rd1], 16, [%r3];", "nobody there has waited for the 16 bytes"},
		{"cp.async.bulk.shared::cta.global.mbarrier::complete_tx::bytes.multicast::cluster [%r5], [%rd1], 16, [%r3], 3;", "unknown instruction"},
	} {
		_, err := inClusters(t, c.body, 4, 2, 4, &arrays{}, [128]byte{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s\n%v, not %q", c.body, err, c.want)
		}
	}
	for _, size := range [][3]int{{0, 1, 1}, {1, 2, 1}, {3, 1, 1}, {16, 1, 1}, {4, 4, 1}} {
		m, err := Parse(snippet(""))
		if err != nil {
			t.Fatal(err)
		}
		grid := [3]int{16, 1, 1}
		if size[1] == 4 {
			grid[1] = 4
		}
		if err := m.kernels["test"].LaunchClusters(&arrays{}, grid, [3]int{1, 1, 1}, size, 0, arguments(uint64(0), uint64(0)), 1); err == nil || !strings.Contains(err.Error(), "clusters of") {
			t.Errorf("a grid of %v in clusters of %v: %v", grid, size, err)
		}
	}
}

// Bytes may come before a thread has said how many to expect; the phase is complete only
// after both.
func TestBytesBeforeTheirNumber(t *testing.T) {
	got := must(t, `
	mov.u32 %r2, room;
	mbarrier.init.shared::cta.b64 [%r2], 1;
	mbarrier.complete_tx.relaxed.cluster.shared::cluster.b64 [%r2], 48;
	mbarrier.test_wait.parity.shared::cta.b64 %p1, [%r2], 0;
	mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [%r2], 16;
	mbarrier.arrive.expect_tx.shared::cta.b64 _, [%r2], 16;
	mbarrier.test_wait.parity.shared::cta.b64 %p2, [%r2], 0;
	mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [%r2], 16;
	mbarrier.test_wait.parity.shared::cta.b64 %p3, [%r2], 0;
	selp.u64 %rd4, 1, 0, %p1;
	@%p2 add.u64 %rd4, %rd4, 2;
	@%p3 add.u64 %rd4, %rd4, 4;
	st.global.u64 [%rd2], %rd4;
	`, 1, 8, nil)
	if got[0] != 4 {
		t.Errorf("phases complete: %b, want 100", got[0])
	}
}

// rounds is the body of a kernel whose two blocks bring half of every round's rows to
// both, and add up the first 256 bytes of both halves. Its steps are those of a pipeline
// of one stage; one may be left out.
func rounds(n int, without string) string {
	body := ""
	step := func(name, text string) {
		if name != without {
			body += text
		}
	}
	body += `
	mov.u64 %rd10, 0;
	shl.b32 %r10, %r2, 10;
	add.u32 %r10, %r10, %r5;
	mapa.shared::cluster.u32 %r11, %r4, 0;
	@!%p1 mapa.shared::cluster.u32 %r11, %r4, 1;
	mad.lo.u32 %r12, %r1, 8, %r5;
	mov.u16 %rs1, 3;
`
	step("first sync", clusterSync)
	for round := range n {
		if round > 0 {
			step("empty", awaitPhase("%r4", (round-1)%2))
		}
		body += fmt.Sprintf(`
	shl.b32 %%r13, %%r2, 3;
	add.u32 %%r13, %%r13, %d;
	@%%p1 mbarrier.arrive.expect_tx.shared::cta.b64 _, [%%r3], 2048;
	@%%p1 cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster [%%r10], [%%rd2, {0, %%r13, 0}], [%%r3], %%rs1;
`, 16*round)
		step("full", awaitPhase("%r3", round%2))
		body += `
	ld.shared.u64 %rd11, [%r12];
	add.u64 %rd10, %rd10, %rd11;
	ld.shared.u64 %rd11, [%r12+1024];
	add.u64 %rd10, %rd10, %rd11;
	bar.warp.sync -1;
	@%p2 mbarrier.arrive.shared::cluster.b64 _, [%r11];
`
	}
	step("last full", awaitPhase("%r3", (n-1)%2))
	step("last sync", clusterSync)
	return body + "\tst.global.u64 [%rd1], %rd10;\n"
}

// A box goes to both blocks. Without any one of the steps that keep one block from
// overtaking the other, the result is wrong.
func TestMulticast(t *testing.T) {
	const n = 6
	old := stallBudget
	stallBudget = 1 << 16
	defer func() { stallBudget = old }()
	x := randomTensor(rand.New(rand.NewPCG(3, 3)), false, 1, 16*n, 64)
	want := uint64(0) // of a block, in whatever order the swizzle has them
	for row := range 16 * n {
		for at := 0; row%8 < 2 && at < 64; at += 4 {
			for e := range 4 {
				want += uint64(x.bits[row*64+at+e]) << (16 * e)
			}
		}
	}
	run := func(without string, blocks int) error {
		var memory arrays
		got, err := inClusters(t, rounds(n, without), blocks, 2, blocks, &memory, x.encode(t, &memory, [3]uint32{64, 8, 1}))
		if err != nil {
			return err
		}
		for b := range blocks {
			sum := uint64(0)
			for _, v := range got[32*b : 32*b+32] {
				sum += v
			}
			if sum != want {
				return fmt.Errorf("block %d has %#x, not %#x", b, sum, want)
			}
		}
		return nil
	}
	for _, blocks := range []int{2, 4} {
		if err := run("", blocks); err != nil {
			t.Error(err)
		}
	}
	for without, what := range map[string]string{
		"first sync": "was not initialised", "full": "", "empty": "", "last sync": "exited",
	} {
		if err := run(without, 2); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("without %s: %v", without, err)
		}
	}
}
