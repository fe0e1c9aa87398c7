package emulator

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
)

// snippet is a kernel around a body. It has registers of every kind; %rd1 points to
// a thread's eight bytes of in, %rd2 to those of out, %r1 is the thread.
func snippet(body string) string {
	return `.version 8.3
.target sm_90
.address_size 64
.extern .shared .align 16 .b8 room[];
.visible .entry test(.param .u64 test_param_0, .param .u64 test_param_1)
{
	.reg .pred %p<16>;
	.reg .b16 %rs<16>;
	.reg .b32 %r<64>;
	.reg .f32 %f<64>;
	.reg .b64 %rd<32>;
	.reg .f64 %fd<16>;
	ld.param.u64 %rd1, [test_param_0];
	ld.param.u64 %rd2, [test_param_1];
	mov.u32 %r1, %tid.x;
	mul.wide.u32 %rd3, %r1, 8;
	add.s64 %rd1, %rd1, %rd3;
	add.s64 %rd2, %rd2, %rd3;
` + body + "\n\tret;\n}\n"
}

// try runs a snippet as one block over eight bytes in and out for each thread.
func try(t testing.TB, body string, threads, shared int, in []uint64) ([]uint64, error) {
	t.Helper()
	m, err := Parse(snippet(body))
	if err != nil {
		t.Fatalf("%v\n%s", err, body)
	}
	k, err := m.Kernel("test")
	if err != nil {
		t.Fatal(err)
	}
	var memory arrays
	source, out := make([]uint64, threads), make([]uint64, threads)
	copy(source, in)
	err = k.Launch(&memory, [3]int{1, 1, 1}, [3]int{threads, 1, 1}, shared, arguments(address(&memory, source), address(&memory, out)), 1)
	return out, err
}

func must(t testing.TB, body string, threads, shared int, in []uint64) []uint64 {
	t.Helper()
	out, err := try(t, body, threads, shared, in)
	if err != nil {
		t.Fatalf("%v\n%s", err, body)
	}
	return out
}

// one computes d of an opcode with 32-bit operands.
func one(t testing.TB, opcode string, operands ...uint32) uint32 {
	t.Helper()
	body, list := "", "%r2"
	for i, v := range operands {
		body += fmt.Sprintf("\tmov.b32 %%r%d, 0x%x;\n", 10+i, v)
		list += fmt.Sprintf(", %%r%d", 10+i)
	}
	return uint32(must(t, body+"\t"+opcode+" "+list+";\n\tst.global.u32 [%rd2], %r2;", 1, 0, nil)[0])
}

func f(x float32) uint32 { return math.Float32bits(x) }

func TestWordInstructions(t *testing.T) {
	nan, inf := f(float32(math.NaN())), f(float32(math.Inf(1)))
	minus := func(n uint32) uint32 { return -n }
	for _, c := range []struct {
		opcode   string
		operands []uint32
		want     uint32
	}{
		{"add.s32", []uint32{7, minus(9)}, minus(2)},
		{"sub.s32", []uint32{7, 9}, minus(2)},
		{"mul.lo.s32", []uint32{0x10001, 0x10001}, 0x20001},
		{"mul.hi.s32", []uint32{minus(2), 3}, minus(1)},
		{"mul.hi.u32", []uint32{minus(2), 3}, 2},
		{"mad.lo.s32", []uint32{3, minus(4), 5}, minus(7)},
		{"div.s32", []uint32{minus(7), 2}, minus(3)},
		{"div.u32", []uint32{minus(7), 2}, 0x7ffffffc},
		{"rem.s32", []uint32{minus(7), 2}, minus(1)},
		{"rem.u32", []uint32{7, 4}, 3},
		{"div.s32", []uint32{1 << 31, minus(1)}, 1 << 31},
		{"min.s32", []uint32{minus(1), 1}, minus(1)},
		{"min.u32", []uint32{minus(1), 1}, 1},
		{"max.s32", []uint32{minus(1), 1}, 1},
		{"abs.s32", []uint32{minus(5)}, 5},
		{"neg.s32", []uint32{5}, minus(5)},
		{"not.b32", []uint32{5}, ^uint32(5)},
		{"xor.b32", []uint32{5, 3}, 6},
		{"shl.b32", []uint32{1, 31}, 1 << 31},
		{"shl.b32", []uint32{1, 32}, 0},
		{"shr.u32", []uint32{1 << 31, 31}, 1},
		{"shr.s32", []uint32{1 << 31, 40}, all},
		{"bfe.u32", []uint32{0xabcd1234, 8, 12}, 0xd12},
		{"bfe.s32", []uint32{0xabcd1234, 8, 12}, 0xfffffd12},
		{"bfe.s32", []uint32{0x80000000, 28, 12}, 0xfffffff8},
		{"bfe.u32", []uint32{0xabcd1234, 8, 0}, 0},
		{"bfi.b32", []uint32{0xff, 0, 4, 8}, 0xff0},
		{"bfi.b32", []uint32{0, all, 28, 8}, 0x0fffffff},
		{"prmt.b32", []uint32{0x33221100, 0x77665544, 0x5410}, 0x55441100},
		{"prmt.b32", []uint32{0x33221180, 0x77665544, 0x7638}, 0x776633ff},
		{"shf.l.wrap.b32", []uint32{0x80000000, 1, 1}, 3},
		{"shf.r.wrap.b32", []uint32{0x80000000, 1, 31}, 3},
		{"shf.r.clamp.b32", []uint32{0x80000000, 1, 40}, 1},
		{"brev.b32", []uint32{1}, 1 << 31},
		{"clz.b32", []uint32{1}, 31},
		{"popc.b32", []uint32{0xf0f}, 8},
		{"add.rn.f32", []uint32{f(1), f(2)}, f(3)},
		{"add.ftz.f32", []uint32{1, 1}, 0},
		{"add.f32", []uint32{1, 1}, 2},
		{"mul.rn.f32", []uint32{f(3), f(0.5)}, f(1.5)},
		// 3·2 + 1 and -½·4 + 1; then 2^-127, which is subnormal, times 2^126, and -0 times 1 minus 0.
		{"fma.rn.bf16x2", []uint32{0x4040_bf00, 0x4000_4080, 0x3f80_3f80}, 0x40e0_bf80},
		{"fma.rn.bf16x2", []uint32{0x0040_8000, 0x7e80_3f80, 0x8000_8000}, 0x3f00_8000},
		{"add.sat.f32", []uint32{f(3), f(0.5)}, f(1)},
		{"sub.rn.f32", []uint32{inf, inf}, 0x7fffffff},
		{"max.f32", []uint32{nan, f(2)}, f(2)},
		{"max.NaN.f32", []uint32{nan, f(2)}, 0x7fffffff},
		{"max.f32", []uint32{f(0), 1 << 31}, 0},
		{"min.f32", []uint32{f(0), 1 << 31}, 1 << 31},
		{"neg.f32", []uint32{f(2)}, f(-2)},
		{"abs.f32", []uint32{f(-2)}, f(2)},
		{"div.rn.f32", []uint32{f(1), f(3)}, f(1. / 3)},
		{"rcp.rn.f32", []uint32{f(3)}, f(1. / 3)},
		{"sqrt.rn.f32", []uint32{f(2)}, f(float32(math.Sqrt2))},
		{"rsqrt.approx.f32", []uint32{f(4)}, f(0.5)},
		{"ex2.approx.ftz.f32", []uint32{f(3)}, f(8)},
		{"ex2.approx.ftz.f32", []uint32{f(-140)}, 0},
		{"ex2.approx.f32", []uint32{f(-140)}, f(0x1p-140)},
		{"lg2.approx.f32", []uint32{f(8)}, f(3)},
	} {
		if got := one(t, c.opcode, c.operands...); got != c.want {
			t.Errorf("%s of %#x is %#x, not %#x", c.opcode, c.operands, got, c.want)
		}
	}
	// The table of lop3 comes last, a number.
	got := must(t, `mov.b32 %r2, 0xF0F0; mov.b32 %r3, 0xCCCC; mov.b32 %r4, 0xAAAA; lop3.b32 %r5, %r2, %r3, %r4, 0x96; st.global.u32 [%rd2], %r5;`, 1, 0, nil)[0]
	if want := uint64(0xF0F0 ^ 0xCCCC ^ 0xAAAA); got != want {
		t.Errorf("lop3 is %#x, not %#x", got, want)
	}
}

func TestLongInstructions(t *testing.T) {
	for _, c := range []struct {
		text string // from %rd10 = 0xfedcba9876543210, %rd11 = 3, %r10 = 4 and %rs10 = 0xfffe
		want uint64
	}{
		{"add.s64 %rd12, %rd10, %rd11", 0xfedcba9876543213},
		{"mul.hi.u64 %rd12, %rd10, %rd11", 2},
		{"mul.hi.s64 %rd12, %rd10, %rd11", math.MaxUint64},
		{"mul.lo.s64 %rd12, %rd10, %rd11", 0xfc962fc962fc9630},
		{"mad.lo.s64 %rd12, %rd11, %rd11, 1", 10},
		{"div.s64 %rd12, -7, %rd11", math.MaxUint64 - 1},
		{"rem.s64 %rd12, -7, %rd11", math.MaxUint64},
		{"min.s64 %rd12, %rd10, %rd11", 0xfedcba9876543210},
		{"max.s64 %rd12, %rd10, %rd11", 3},
		{"shl.b64 %rd12, %rd11, %r10", 48},
		{"shr.s64 %rd12, %rd10, 60", math.MaxUint64},
		{"shr.u64 %rd12, %rd10, 60", 15},
		{"bfe.u64 %rd12, %rd10, 8, 16", 0x5432},
		{"popc.b64 %r12, %rd10; cvt.u64.u32 %rd12, %r12", 32},
		{"clz.b64 %r12, %rd11; cvt.u64.u32 %rd12, %r12", 62},
		{"mul.wide.s32 %rd12, -2, %r10", math.MaxUint64 - 7},
		{"mul.wide.u32 %rd12, -2, %r10", 0x3fffffff8},
		{"mad.wide.u32 %rd12, %r10, %r10, %rd11", 19},
		{"mul.wide.u16 %r12, %rs10, 3; cvt.u64.u32 %rd12, %r12", 0x2fffa},
		{"mul.wide.s16 %r12, %rs10, 3; cvt.u64.u32 %rd12, %r12", 0xfffffffa},
		{"mul.hi.u16 %rs12, %rs10, 4; cvt.u64.u16 %rd12, %rs12", 3},
		{"shr.s16 %rs12, %rs10, 1; cvt.u64.u16 %rd12, %rs12", 0xffff},
		{"add.s16 %rs12, %rs10, 5; cvt.u64.u16 %rd12, %rs12", 3},
		{"mov.b32 %r12, {%rs10, %rs10}; cvt.u64.u32 %rd12, %r12", 0xfffefffe},
		{"mov.b64 {%r12, _}, %rd10; cvt.u64.u32 %rd12, %r12", 0x76543210},
		{"mov.b64 {_, %r12}, %rd10; cvt.u64.u32 %rd12, %r12", 0xfedcba98},
		{"mov.b64 %rd12, {%r10, %r10}", 4<<32 | 4},
		{"{ .reg .b32 hidden; mov.b64 {hidden, %r12}, %rd10; } cvt.u64.u32 %rd12, %r12", 0xfedcba98},
		{"setp.lt.s64 %p1, %rd10, %rd11; selp.b64 %rd12, 1, 2, %p1", 1},
		{"setp.lt.u64 %p1, %rd10, %rd11; selp.b64 %rd12, 1, 2, %p1", 2},
		{"setp.eq.s32 %p1|%p2, %r10, 4; selp.u32 %r12, 1, 0, %p1; selp.u32 %r13, 2, 0, %p2; add.u32 %r12, %r12, %r13; cvt.u64.u32 %rd12, %r12", 1},
		{"setp.eq.s32 %p1, %r10, 4; setp.gt.and.s32 %p2, %r10, 5, %p1; selp.b64 %rd12, 1, 2, %p2", 2},
		{"setp.eq.s32 %p1, %r10, 4; setp.gt.or.s32 %p2, %r10, 5, %p1; selp.b64 %rd12, 1, 2, %p2", 1},
		{"mov.pred %p1, -1; not.pred %p2, %p1; or.pred %p3, %p1, %p2; and.pred %p4, %p1, %p3; selp.b64 %rd12, 1, 2, %p4", 1},
		{"mov.u64 %rd12, 5; mov.pred %p1, 0; @%p1 mov.u64 %rd12, 6; @!%p1 add.s64 %rd12, %rd12, 10", 15},
		{"mov.f64 %fd1, 0dC000000000000000; mov.f64 %fd2, 0d4008000000000000; sub.rn.f64 %fd3, %fd1, %fd2; abs.f64 %fd3, %fd3; div.rn.f64 %fd3, %fd3, %fd1; mov.b64 %rd12, %fd3", math.Float64bits(-2.5)},
		{"mov.f64 %fd1, 0dC000000000000000; mov.f64 %fd2, 0d7FF8000000000000; min.f64 %fd3, %fd1, %fd2; neg.f64 %fd3, %fd3; sqrt.rn.f64 %fd3, %fd3; mov.b64 %rd12, %fd3", math.Float64bits(math.Sqrt2)},
		{"brev.b64 %rd12, %rd11", 3 << 62},
		{"not.b64 %rd12, %rd11; and.b64 %rd12, %rd12, %rd10; xor.b64 %rd12, %rd12, 1", 0xfedcba9876543211},
		{"neg.s64 %rd12, %rd11; abs.s64 %rd12, %rd12", 3},
		{"div.u64 %rd12, %rd10, %rd11; rem.u64 %rd12, %rd12, 7", 0xfedcba9876543210 / 3 % 7},
		{"sub.s64 %rd12, %rd11, %rd10; or.b64 %rd12, %rd12, 1", 0x1234567_89abcdf3},
		{"mov.f64 %fd1, 0d3FF8000000000000; fma.rn.f64 %fd2, %fd1, %fd1, %fd1; mov.b64 %rd12, %fd2", math.Float64bits(3.75)},
	} {
		body := "mov.u64 %rd10, 0xfedcba9876543210; mov.u64 %rd11, 3; mov.u32 %r10, 4; mov.b16 %rs10, -2; " + c.text + "; st.global.u64 [%rd2], %rd12;"
		if got := must(t, body, 1, 0, nil)[0]; got != c.want {
			t.Errorf("%s: %#x, not %#x", c.text, got, c.want)
		}
	}
}

func TestComparisonsWithNaN(t *testing.T) {
	nan := float32(math.NaN())
	for name, want := range map[string][3]bool{ // of (1, 2), (2, 2), (NaN, 2)
		"eq": {false, true, false}, "ne": {true, false, false}, "lt": {true, false, false}, "le": {true, true, false},
		"gt": {false, false, false}, "ge": {false, true, false}, "equ": {false, true, true}, "neu": {true, false, true},
		"ltu": {true, false, true}, "leu": {true, true, true}, "gtu": {false, false, true}, "geu": {false, true, true},
		"num": {true, true, false}, "nan": {false, false, true},
	} {
		for i, x := range []float32{1, 2, nan} {
			body := fmt.Sprintf("mov.f32 %%f1, 0f%08X; setp.%s.f32 %%p1, %%f1, 0f40000000; selp.u32 %%r2, 1, 0, %%p1; st.global.u32 [%%rd2], %%r2;", f(x), name)
			if got := must(t, body, 1, 0, nil)[0] == 1; got != want[i] {
				t.Errorf("setp.%s of %g and 2 is %v", name, x, got)
			}
		}
	}
}

// Sums and products of floats rounded once, against big.Float.
func TestFMARoundsOnce(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	check := func(a, b, c float32) {
		t.Helper()
		x := new(big.Float).SetPrec(2000).Mul(big.NewFloat(float64(a)), big.NewFloat(float64(b)))
		x.SetPrec(2000).Add(x, big.NewFloat(float64(c)))
		want, _ := x.Float32()
		if got := fma(a, b, c); got != want {
			t.Fatalf("fma(%x, %x, %x) is %x, not %x", a, b, c, got, want)
		}
	}
	check(1+0x1p-12, 1+0x1p-12, 0x1p-80)
	check(1+0x1p-12, 1+0x1p-12, -0x1p-80)
	check(-1-0x1p-12, 1+0x1p-12, 0x1p-80)
	check(0x1p-75, 0x1p-75, 0x1p-149)
	check(0x1.8p-75, 0x1p-75, -0x1p-149)
	for range 200000 {
		// Small significands make sums in the middle of two floats frequent.
		small := func(e int) float32 {
			return float32(math.Ldexp(float64(random.IntN(1<<13)-1<<12), random.IntN(2*e+1)-e))
		}
		check(small(20), small(20), small(60))
		check(small(60), small(80), small(100))
	}
}

func TestMemoryAccess(t *testing.T) {
	// Vectors, narrow types, offsets, generic addresses of three spaces.
	got := must(t, `
	.local .align 8 .b8 mine[16];
	ld.global.v2.u32 {%r2, %r3}, [%rd1];
	mov.u64 %rd10, room;
	cvta.shared.u64 %rd11, %rd10;
	mul.wide.u32 %rd12, %r1, 8;
	add.s64 %rd11, %rd11, %rd12;
	st.v2.u32 [%rd11], {%r3, %r2};
	bar.sync 0;
	mov.u64 %rd13, mine;
	cvta.local.u64 %rd14, %rd13;
	ld.u64 %rd15, [%rd11];
	st.u64 [%rd14+8], %rd15;
	ld.local.u16 %rs1, [mine+8];
	ld.local.s8 %r4, [mine+15];
	cvta.global.u64 %rd16, %rd2;
	st.u16 [%rd16], %rs1;
	st.global.u32 [%rd2+4], %r4;
	`, 33, 33*8, slices.Repeat([]uint64{0x8877665544332211}, 33))
	for i, v := range got {
		if want := uint64(0x44)<<32 | 0x6655; v != want {
			t.Fatalf("thread %d has %#x, not %#x", i, v, want)
		}
	}
	got = must(t, "ld.global.cg.s8 %r2, [%rd1+3]; ld.global.nc.L1::no_allocate.L2::256B.u8 %r3, [%rd1+3]; st.global.cs.v2.u32 [%rd2], {%r2, %r3};", 1, 0, []uint64{0x80000000})
	if want := uint64(0x80)<<32 | 0xffffff80; got[0] != want {
		t.Errorf("bytes are %#x, not %#x", got[0], want)
	}
	// Memory that was not written holds garbage.
	if got := must(t, "ld.shared.u64 %rd10, [room]; st.global.u64 [%rd2], %rd10;", 1, 8, nil)[0]; got != garbage {
		t.Errorf("shared memory begins as %#x", got)
	}
}

func TestAtomics(t *testing.T) {
	got := must(t, `
	mov.u32 %r2, room;
	setp.eq.s32 %p1, %r1, 0;
	@%p1 st.shared.u64 [room], 0;
	@%p1 st.shared.u64 [room+8], 0;
	bar.sync 0;
	red.shared.add.u32 [%r2], %r1;
	atom.shared.max.u32 %r3, [%r2+4], %r1;
	atom.shared.cas.b32 %r4, [room+8], 0, %r1;
	atom.shared.exch.b32 %r5, [room+12], %r1;
	bar.sync 0;
	ld.shared.v4.u32 {%r6, %r7, %r8, %r9}, [room];
	add.u32 %r6, %r6, %r7;
	mul.lo.u32 %r8, %r8, 100;
	add.u32 %r8, %r8, %r9;
	st.global.v2.u32 [%rd2], {%r6, %r8};
	`, 32, 16, nil)
	if want := uint64(1*100+31)<<32 | (32*31/2 + 31); got[5] != want {
		t.Errorf("%#x, not %#x", got[5], want)
	}
}

func TestAtomicsOnGlobalMemory(t *testing.T) {
	for _, c := range []struct {
		text       string
		start, end uint64
	}{
		{"red.global.add.f32 [%rd2], 0f3F800000;", uint64(f(2)), uint64(f(34))},
		{"atom.global.add.u64 %rd5, [%rd2], 5;", 2, 162},
		{"atom.relaxed.gpu.global.add.s32 %r5, [%rd2], -1;", 40, 8},
		{"atom.acq_rel.gpu.global.inc.u32 %r5, [%rd2], 9;", 0, 2}, // 32 modulo 10
		{"atom.global.dec.u32 %r5, [%rd2], 9;", 0, 8},
		{"atom.global.min.s32 %r5, [%rd2], %r1;", 7, 0},
		{"atom.global.or.b32 %r5, [%rd2], %r1;", 32, 63},
		{"atom.global.exch.b64 _, [%rd2], 9;", 1, 9},
		{"atom.global.cas.b64 %rd5, [%rd2], 3, 4;", 3, 4},
	} {
		body := "ld.param.u64 %rd2, [test_param_1]; ld.param.u64 %rd1, [test_param_0]; setp.eq.s32 %p1, %r1, 0; ld.global.u64 %rd4, [%rd1]; @%p1 st.global.u64 [%rd2], %rd4; bar.warp.sync -1; " + c.text
		if got := must(t, body, 32, 0, []uint64{c.start})[0]; got != c.end {
			t.Errorf("%s of %#x is %#x, not %#x", c.text, c.start, got, c.end)
		}
	}
}
