package emulator

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestConversions(t *testing.T) {
	minusTwo := int64(-2)
	for _, c := range []struct {
		opcode   string
		from, to string // registers
		in, want uint64
	}{
		{"cvt.u64.u32", "%r10", "%rd12", 0xfffffffe, 0xfffffffe},
		{"cvt.s64.s32", "%r10", "%rd12", 0xfffffffe, uint64(minusTwo)},
		{"cvt.u32.u64", "%rd10", "%r12", 0x1_2345_6789, 0x23456789},
		{"cvt.u16.u32", "%r10", "%rs12", 0x12345, 0x2345},
		{"cvt.u32.u16", "%rs10", "%r12", 0xfffe, 0xfffe},
		{"cvt.s32.s16", "%rs10", "%r12", 0xfffe, 0xfffffffe},
		{"cvt.s32.s8", "%r10", "%r12", 0x1fe, 0xfffffffe},
		{"cvt.u32.u8", "%r10", "%r12", 0x1fe, 0xfe},
		{"cvt.sat.u8.s32", "%r10", "%r12", 0xfffffffe, 0},
		{"cvt.sat.s8.s32", "%r10", "%r12", 1000, 127},
		{"cvt.rn.f32.s32", "%r10", "%f12", 0xfffffffe, uint64(f(-2))},
		{"cvt.rn.f32.u32", "%r10", "%f12", 0xffffffff, uint64(f(0x1p32))},
		{"cvt.rz.f32.u32", "%r10", "%f12", 0xffffffff, uint64(f(0xffffff00))},
		{"cvt.rn.f32.s64", "%rd10", "%f12", 1<<62 + 1<<38 + 1, uint64(f(0x1p62 + 0x1p39))},
		{"cvt.rn.f64.s64", "%rd10", "%fd12", uint64(minusTwo), math.Float64bits(-2)},
		{"cvt.rp.f64.u64", "%rd10", "%fd12", 1<<53 + 1, math.Float64bits(0x1p53 + 2)},
		{"cvt.rn.f64.u32", "%r10", "%fd12", 7, math.Float64bits(7)},
		{"cvt.f64.f32", "%f10", "%fd12", uint64(f(1.5)), math.Float64bits(1.5)},
		{"cvt.rn.f32.f64", "%fd10", "%f12", math.Float64bits(1 + 0x1p-24), uint64(f(1))},
		{"cvt.rp.f32.f64", "%fd10", "%f12", math.Float64bits(1 + 0x1p-24), uint64(f(1 + 0x1p-23))},
		{"cvt.rm.f32.f64", "%fd10", "%f12", math.Float64bits(-1 - 0x1p-24), uint64(f(-1 - 0x1p-23))},
		{"cvt.rz.f32.f64", "%fd10", "%f12", math.Float64bits(1e300), uint64(f(math.MaxFloat32))},
		{"cvt.rn.f32.f64", "%fd10", "%f12", math.Float64bits(0x1p-149), 1},
		{"cvt.rz.f32.f64", "%fd10", "%f12", math.Float64bits(0x1.8p-149), 1},
		{"cvt.rp.f32.f64", "%fd10", "%f12", math.Float64bits(0x1p-200), 1},
		{"cvt.f32.f16", "%rs10", "%f12", 0xc000, uint64(f(-2))},
		{"cvt.f32.f16", "%rs10", "%f12", 1, uint64(f(0x1p-24))},
		{"cvt.f32.bf16", "%rs10", "%f12", 0xc000, uint64(f(-2))},
		{"cvt.rn.f16.f32", "%f10", "%rs12", uint64(f(65520)), 0x7c00},
		{"cvt.rz.f16.f32", "%f10", "%rs12", uint64(f(65520)), 0x7bff},
		{"cvt.rn.f16.f32", "%f10", "%rs12", uint64(f(1 + 0x1p-11)), 0x3c00},
		{"cvt.rn.f16.f32", "%f10", "%rs12", uint64(f(1 + 0x3p-11)), 0x3c02},
		{"cvt.rn.f16.f32", "%f10", "%rs12", uint64(f(0x1p-25)), 0},
		{"cvt.rn.f16.f32", "%f10", "%rs12", uint64(f(0x1.8p-25)), 1},
		{"cvt.rn.bf16.f32", "%f10", "%rs12", 0x3f808000, 0x3f80},
		{"cvt.rn.bf16.f32", "%f10", "%rs12", 0x3f818000, 0x3f82},
		{"cvt.rz.bf16.f32", "%f10", "%rs12", 0x3f81ffff, 0x3f81},
		{"cvt.rn.bf16.f32", "%f10", "%rs12", 0xffffffff, 0x7fff},
		{"cvt.rni.f64.f64", "%fd10", "%fd12", math.Float64bits(2.5), math.Float64bits(2)},
		{"cvt.rzi.s64.f64", "%fd10", "%rd12", math.Float64bits(-2.7), uint64(minusTwo)},
		{"cvt.rni.s32.f32", "%f10", "%r12", uint64(f(3.5)), 4},
		{"cvt.rmi.s32.f32", "%f10", "%r12", uint64(f(-3.5)), 0xfffffffc},
		{"cvt.rpi.s32.f32", "%f10", "%r12", uint64(f(-3.5)), 0xfffffffd},
		{"cvt.rzi.s32.f32", "%f10", "%r12", uint64(f(1e20)), 0x7fffffff},
		{"cvt.rzi.s32.f32", "%f10", "%r12", uint64(f(-1e20)), 0x80000000},
		{"cvt.rzi.u32.f32", "%f10", "%r12", uint64(f(-5)), 0},
		{"cvt.rzi.u64.f32", "%f10", "%rd12", uint64(f(1e30)), math.MaxUint64},
		{"cvt.rzi.s32.f32", "%f10", "%r12", 0x7fc00000, 0},
		{"cvt.sat.f32.f32", "%f10", "%f12", uint64(f(3)), uint64(f(1))},
	} {
		width := func(r string) string {
			switch {
			case strings.HasPrefix(r, "%rs"):
				return "16"
			case strings.HasPrefix(r, "%rd"), strings.HasPrefix(r, "%fd"):
				return "64"
			}
			return "32"
		}
		body := fmt.Sprintf("ld.global.b%s %s, [%%rd1]; %s %s, %s; st.global.b%s [%%rd2], %s;", width(c.from), c.from, c.opcode, c.to, c.from, width(c.to), c.to)
		if got := must(t, body, 1, 0, []uint64{c.in})[0]; got != c.want {
			t.Errorf("%s of %#x is %#x, not %#x", c.opcode, c.in, got, c.want)
		}
	}
	if got := one(t, "cvt.rn.bf16x2.f32", f(1), f(-2)); got != 0x3f80c000 {
		t.Errorf("cvt.rn.bf16x2.f32 is %#x", got)
	}
	if got := one(t, "cvt.rn.f16x2.f32", f(1), f(-2)); got != 0x3c00c000 {
		t.Errorf("cvt.rn.f16x2.f32 is %#x", got)
	}
}

func TestEncodeAgainstAllHalves(t *testing.T) {
	for h, v := range halves {
		if v != v {
			continue
		}
		if got := halfFormat.encode(float64(v), nearest); got != uint32(h) {
			t.Fatalf("f16 of %g is %#x, not %#x", v, got, h)
		}
	}
	random := rand.New(rand.NewPCG(9, 10))
	for range 100000 {
		v := math.Float64frombits(random.Uint64())
		if v != v {
			continue
		}
		if got, want := singleFormat.encode(v, nearest), math.Float32bits(float32(v)); got != want {
			t.Fatalf("f32 of %x is %#x, not %#x", v, got, want)
		}
		x := math.Float32frombits(random.Uint32())
		if x != x {
			continue
		}
		if got, want := toBfloat(x), bfloatFormat.encode(float64(x), nearest); got != want {
			t.Fatalf("bf16 of %x is %#x, not %#x", x, got, want)
		}
	}
}

// TestE4M3: numbers and ties of 8 bits without infinities.
func TestE4M3(t *testing.T) {
	for _, c := range []struct {
		x    float64
		want uint32
	}{
		{0, 0}, {math.Copysign(0, -1), 0x80}, {1, 0x38}, {-1, 0xb8}, {448, 0x7e}, {1000, 0x7e}, {math.Inf(-1), 0xfe}, {math.NaN(), 0x7f},
		{240, 0x77}, {248, 0x78}, {256, 0x78}, {272, 0x78}, {273, 0x79}, {0x1p-9, 1}, {0x1p-10, 0}, {0x1.8p-9, 2}, {0x1p-6, 8},
	} {
		if got := toE4M3(float32(c.x)); got != c.want {
			t.Errorf("%v is %#x, want %#x", c.x, got, c.want)
		}
	}
}
