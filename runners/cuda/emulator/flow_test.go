package emulator

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

// Lanes leave a loop at different times and come together after it.
func TestLoopsDiverge(t *testing.T) {
	got := must(t, `
	mov.u32 %r2, 0;
	mov.u32 %r3, 0;
again:
	add.u32 %r3, %r3, %r2;
	and.b32 %r4, %r2, 1;
	setp.eq.s32 %p2, %r4, 0;
	@%p2 bra even;
	add.u32 %r3, %r3, 100;
	bra.uni next;
even:
	add.u32 %r3, %r3, 1;
next:
	add.u32 %r2, %r2, 1;
	setp.le.u32 %p1, %r2, %r1;
	@%p1 bra again;
	activemask.b32 %r5;
	shfl.sync.bfly.b32 %r6, %r3, 1, 31, -1;
	st.global.v2.u32 [%rd2], {%r6, %r5};
	`, 32, 0, nil)
	for lane := range 32 {
		want := 0
		for i := 0; i <= lane^1; i++ {
			if want += i + 100; i%2 == 0 {
				want -= 99
			}
		}
		if int(uint32(got[lane])) != want {
			t.Errorf("lane %d has %d, not %d", lane, uint32(got[lane]), want)
		}
		if got[lane]>>32 != uint64(all) {
			t.Errorf("lane %d goes on with %#x", lane, got[lane]>>32)
		}
	}
}

// Lanes wait for others that are further back in the text, further on, or spinning.
func TestLanesWaitForLanes(t *testing.T) {
	got := must(t, `
	setp.lt.u32 %p1, %r1, 16;
	setp.eq.s32 %p3, %r1, 0;
	@%p3 st.shared.u32 [room], 0;
	bar.warp.sync -1;
	@%p1 bra low;
	st.shared.u32 [room+4], 5;
	bar.warp.sync -1;
	bra.uni end;
low:
	{
	.reg .pred done;
again:
	ld.volatile.shared.u32 %r2, [room+4];
	setp.eq.s32 done, %r2, 5;
	@!done bra again;
	}
	bar.warp.sync 0xffffffff;
end:
	st.global.u32 [%rd2], 7;
	`, 32, 8, nil)
	for lane, v := range got {
		if v != 7 {
			t.Fatalf("lane %d has %d", lane, v)
		}
	}
	// Here the spinning lanes come first in the text.
	must(t, `
	setp.lt.u32 %p1, %r1, 16;
	@!%p1 bra high;
again:
	ld.volatile.shared.u32 %r2, [room];
	setp.ne.s32 %p2, %r2, 5;
	@%p2 bra again;
	bra.uni end;
high:
	st.shared.u32 [room], 5;
end:
	`, 32, 8, nil)
}

func TestShuffles(t *testing.T) {
	for _, c := range []struct {
		mode string
		b, c int
		want func(lane int) (from int, in bool)
	}{
		{"idx", 5, 31, func(int) (int, bool) { return 5, true }},
		{"idx", 5, 0x181f, func(l int) (int, bool) { return l&24 | 5, true }}, // segments of eight
		{"bfly", 16, 31, func(l int) (int, bool) { return l ^ 16, true }},
		{"up", 3, 0, func(l int) (int, bool) { return l - 3*b2i(l >= 3), l >= 3 }},
		{"down", 3, 31, func(l int) (int, bool) {
			if l+3 > 31 {
				return l, false
			}
			return l + 3, true
		}},
	} {
		body := "mul.lo.u32 %r2, %r1, 10; shfl.sync." + c.mode + ".b32 %r3|%p1, %r2, " + strconv.Itoa(c.b) + ", " + strconv.Itoa(c.c) + ", -1; selp.u32 %r4, 1, 0, %p1; st.global.v2.u32 [%rd2], {%r3, %r4};"
		for lane, v := range must(t, body, 32, 0, nil) {
			from, in := c.want(lane)
			if int(uint32(v)) != 10*from || v>>32 == 1 != in {
				t.Errorf("shfl %s %d, lane %d: %d and %d, not %d and %v", c.mode, c.b, lane, uint32(v), v>>32, 10*from, in)
			}
		}
	}
	for lane, v := range must(t, `
	and.b32 %r2, %r1, 3;
	setp.eq.s32 %p1, %r2, 1;
	vote.sync.ballot.b32 %r3, %p1, -1;
	vote.sync.any.pred %p2, %p1, -1;
	vote.sync.all.pred %p3, %p1, -1;
	selp.u32 %r4, 1, 0, %p2;
	@%p3 add.u32 %r4, %r4, 10;
	match.any.sync.b32 %r5, %r2, -1;
	xor.b32 %r3, %r3, %r5;
	st.global.v2.u32 [%rd2], {%r3, %r4};`, 32, 0, nil) {
		if want := uint32(0x22222222) ^ 0x11111111<<(lane&3); uint32(v) != want || v>>32 != 1 {
			t.Errorf("lane %d: votes %#x and %d, not %#x and 1", lane, uint32(v), v>>32, want)
		}
	}
}

func TestReduce(t *testing.T) {
	in := make([]uint64, 32)
	for lane := range in {
		in[lane] = uint64(uint32(lane*0x9e3779b1 + 7))
	}
	greatest, least := uint32(0), ^uint32(0)
	for _, v := range in {
		greatest, least = max(greatest, uint32(v)), min(least, uint32(v))
	}
	for lane, v := range must(t, `
	ld.global.u32 %r2, [%rd1];
	redux.sync.max.u32 %r3, %r2, -1;
	redux.sync.min.u32 %r4, %r2, -1;
	st.global.v2.u32 [%rd2], {%r3, %r4};`, 32, 0, in) {
		if uint32(v) != greatest || uint32(v>>32) != least {
			t.Errorf("lane %d: %#x and %#x, not %#x and %#x", lane, uint32(v), v>>32, greatest, least)
		}
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Warp 0 passes results to warp 1 by barriers at which only one of them waits.
func TestNamedBarriers(t *testing.T) {
	got := must(t, `
	shr.u32 %r2, %r1, 5;
	setp.ne.s32 %p1, %r2, 0;
	mul.wide.u32 %rd10, %r1, 4;
	mov.u64 %rd11, room;
	add.s64 %rd11, %rd11, %rd10;
	@%p1 bra second;
	st.shared.u32 [%rd11], %r1;
	bar.arrive 3, 64;
	bra.uni end;
second:
	bar.sync 3, 64;
	ld.shared.u32 %r3, [%rd11+-128];
	st.global.u32 [%rd2], %r3;
end:
	bar.sync 0;
	`, 64, 256, nil)
	for lane := range 32 {
		if got[32+lane] != uint64(lane) {
			t.Fatalf("lane %d has %d", lane, got[32+lane])
		}
	}
}

// mma with operands from memory and from ldmatrix against a plain loop.
func TestMMA(t *testing.T) {
	random := rand.New(rand.NewPCG(11, 12))
	for _, typ := range []string{"bf16", "f16"} {
		encode := func(v float32) uint16 {
			if typ == "f16" {
				return uint16(halfFormat.encode(float64(v), nearest))
			}
			return uint16(toBfloat(v))
		}
		decode := func(h uint16) float32 {
			if typ == "f16" {
				return halves[h]
			}
			return bfloat(uint32(h))
		}
		a, b := make([]uint16, 16*16), make([]uint16, 16*8) // (row, k), (k, column)
		for i := range a {
			a[i] = encode(float32(random.NormFloat64()))
		}
		for i := range b {
			b[i] = encode(float32(random.NormFloat64()))
		}
		in := make([]uint64, 96) // a, then b
		for i, h := range append(append([]uint16{}, a...), b...) {
			in[i/4] |= uint64(h) << (i % 4 * 16)
		}
		// Row i of matrix n for lane 8n+i: of A, rows 8(n%2) and columns 8(n/2); of B,
		// whose columns mma takes as rows, the transposed rows 8n.
		text := `
	.shared .align 16 .b8 both[768];
	ld.global.u64 %rd10, [%rd1];
	mov.u64 %rd11, both;
	add.s64 %rd12, %rd11, %rd3;
	st.shared.u64 [%rd12], %rd10;
	bar.sync 0;
	setp.ge.u32 %p1, %r1, 32;
	@%p1 bra end;
	and.b32 %r2, %r1, 15;
	shl.b32 %r2, %r2, 5;
	shr.u32 %r3, %r1, 4;
	shl.b32 %r3, %r3, 4;
	cvt.u32.u64 %r4, %rd11;
	add.u32 %r5, %r4, %r2;
	add.u32 %r5, %r5, %r3;
	ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r10, %r11, %r12, %r13}, [%r5];
	and.b32 %r2, %r1, 15;
	shl.b32 %r2, %r2, 4;
	add.u32 %r5, %r4, %r2;
	ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%r14, %r15}, [%r5+512];
	mov.f32 %f1, 0f3F800000;
	mov.f32 %f2, 0f40000000;
	mma.sync.aligned.m16n8k16.row.col.f32.TYPE.TYPE.f32 {%f3,%f4,%f5,%f6}, {%r10,%r11,%r12,%r13}, {%r14,%r15}, {%f1,%f1,%f2,%f2};
	st.global.v2.f32 [%rd2], {%f3, %f4};
	st.global.v2.f32 [%rd2+256], {%f5, %f6};
end:`
		got := must(t, strings.ReplaceAll(text, "TYPE", typ), 96, 0, in)
		for row := range 16 {
			for column := range 8 {
				want := float64(1 + row/8)
				for k := range 16 {
					want += float64(decode(a[row*16+k])) * float64(decode(b[k*8+column]))
				}
				v := got[row/8*32+row%8*4+column/2] >> (column % 2 * 32)
				if g := single(uint32(v)); g != float32(want) {
					t.Errorf("%s: row %d, column %d is %g, not %g", typ, row, column, g, want)
				}
			}
		}
	}
}

// movmatrix: rows become columns.
func TestTurnedMatrix(t *testing.T) {
	got := must(t, `
	shl.b32 %r2, %r1, 1;
	add.u32 %r3, %r2, 1;
	shl.b32 %r3, %r3, 16;
	or.b32 %r2, %r2, %r3;
	movmatrix.sync.aligned.m8n8.trans.b16 %r2, %r2;
	cvt.u64.u32 %rd10, %r2;
	st.global.u64 [%rd2], %rd10;`, 32, 0, nil)
	for lane := range 32 { // element (row, column) is 8·row + column
		g, t2 := lane/4, lane%4*2
		if want := uint64((8*(t2+1)+g)<<16 | (8*t2 + g)); got[lane] != want {
			t.Errorf("lane %d has %#x, not %#x", lane, got[lane], want)
		}
	}
}

func TestFaults(t *testing.T) {
	old := stallBudget
	stallBudget = 1 << 16
	defer func() { stallBudget = old }()
	for _, c := range []struct {
		body string
		want []string
	}{
		{"\n\nld.global.u32 %r2, [%rd1+4096];", []string{"line 21", "ld.global.u32 %r2, [%rd1+4096];", "block (0,0,0)", "thread (0,0,0)", "in no allocation"}},
		{"setp.eq.s32 %p1, %r1, 37; @%p1 ld.global.u32 %r2, [8];", []string{"thread (37,0,0)", "0x8", "no allocation"}},
		{"ld.global.u32 %r2, [%rd1+2];", []string{"misaligned"}},
		{"st.shared.u32 [room+64], %r1;", []string{"shared address 0x440", "has 64 bytes"}},
		{"st.shared.u32 [8], %r1;", []string{"shared address 0x8"}},
		{"mov.u64 %rd9, -8; ld.shared.u64 %rd9, [%rd9];", []string{"shared address 0xfffffffffffffff8"}},
		{"frobnicate.u32 %r1, %r2;", []string{"line 19", "frobnicate.u32 %r1, %r2;", "unknown instruction"}},
		{"add.s32 %r1, %rd2, 5;", []string{"%rd2 is not a register of up to 32 bits"}},
		{"setp.lt.u32 %p1, %r1, 32; @%p1 bra end; bar.sync 0; end:", []string{"deadlock", "every warp waits", "bar.sync 0;", "warp 1"}},
		{"setp.lt.u32 %p1, %r1, 5; @%p1 bra end; bar.warp.sync -1; bra.uni end2; end: shfl.sync.idx.b32 %r2, %r2, 0, 31, -1; end2:", []string{"deadlock", "lanes of the warp", "bar.warp.sync", "shfl.sync"}},
		{"setp.lt.u32 %p1, %r1, 5; @%p1 bra end; bar.sync 0; bra.uni end2; end: bar.sync 1; end2:", []string{"deadlock", "bar.sync 0;", "bar.sync 1;"}},
		{"bar.sync 0, 40;", []string{"barrier 0 for 40 threads"}},
		{"bar.sync 16;", []string{"barrier 16"}},
		{"setp.lt.u32 %p1, %r1, 32; @%p1 bra end; bar.sync 1, 32; end: bar.sync 1, 64;", []string{"barrier 1 for", "others arrived for"}},
		{"again: bra again;", []string{"deadlock", "nothing has changed", "bra again;"}},
		{"mov.u32 %r2, room; mbarrier.try_wait.parity.shared.b64 %p1, [%r2], 0;", []string{"not initialised"}},
		{"mov.u32 %r2, room; mbarrier.init.shared.b64 [%r2], 99; again: mbarrier.try_wait.parity.shared.b64 %p1, [%r2], 0; @!%p1 bra again;", []string{"deadlock", "nothing has changed"}},
		{"mov.u32 %r2, room; mbarrier.init.shared.b64 [%r2], 1; cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%r2], [%rd1], 24, [%r2];", []string{"multiples of 16"}},
		{"setp.lt.u32 %p1, %r1, 5; shfl.sync.idx.b32 %r2, %r2, 0, 31, 3;", []string{"the mask 0x3 does not name"}},
		{"trap;", []string{"gave up"}},
	} {
		_, err := try(t, c.body, 64, 64, nil)
		if err == nil {
			t.Errorf("%s: no error", c.body)
			continue
		}
		for _, want := range append(c.want, "kernel test") {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q not in %v", c.body, want, err)
			}
		}
	}
}

// Each block waits for what the next one writes; all are resident.
func TestBlocksWaitForBlocks(t *testing.T) {
	const text = `.version 8.3
.visible .entry test(.param .u64 flags)
{
	.reg .pred %p<3>;
	.reg .b32 %r<8>;
	.reg .b64 %rd<5>;
	ld.param.u64 %rd1, [flags];
	mov.u32 %r1, %ctaid.x;
	mov.u32 %r2, %nctaid.x;
	sub.u32 %r3, %r2, %r1;
	mul.wide.u32 %rd2, %r1, 4;
	add.s64 %rd3, %rd1, %rd2;
	sub.u32 %r4, %r2, 1;
	setp.eq.u32 %p1, %r1, %r4;
	@%p1 bra go;
again:
	ld.volatile.global.u32 %r5, [%rd3+4];
	setp.eq.s32 %p2, %r5, 0;
	@%p2 bra again;
go:
	st.volatile.global.u32 [%rd3], %r3;
	ret;
}`
	m, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	k, err := m.Kernel("test")
	if err != nil {
		t.Fatal(err)
	}
	old := stallBudget
	stallBudget = 1 << 20
	defer func() { stallBudget = old }()
	flags := make([]uint32, 8)
	var memory arrays
	a := arguments(address(&memory, flags))
	if err := k.Launch(&memory, [3]int{8, 1, 1}, [3]int{1, 1, 1}, 0, a, 8); err != nil {
		t.Fatal(err)
	}
	for i, v := range flags {
		if int(v) != 8-i {
			t.Fatalf("flags %v", flags)
		}
	}
	clear(flags)
	if err := k.Launch(&memory, [3]int{8, 1, 1}, [3]int{1, 1, 1}, 0, a, 7); err == nil || !strings.Contains(err.Error(), "deadlock") {
		t.Fatalf("seven blocks at once: %v", err)
	}
}
