package cuda

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestConvert(t *testing.T) {
	// Every float16 and bfloat16 goes through float32 and back.
	for i := range 1 << 16 {
		h := uint16(i)
		if f := fromFloat16(h); f == f && toFloat16(f) != h {
			t.Fatalf("float16 %#04x is %v, which is %#04x", h, f, toFloat16(f))
		}
		if f := math.Float32frombits(uint32(h) << 16); f == f && toBFloat16(f) != h {
			t.Fatalf("bfloat16 %#04x is %v, which is %#04x", h, f, toBFloat16(f))
		}
	}
	// Other numbers go to the nearest: no neighbour is nearer.
	rng := rand.New(rand.NewPCG(3, 4))
	for range 200_000 {
		v := math.Float32frombits(rng.Uint32())
		if rng.IntN(2) == 0 {
			v = float32(rng.NormFloat64()) * float32(math.Ldexp(1, rng.IntN(40)-30))
		}
		if v != v {
			continue
		}
		if h := toFloat16(v); math.Abs(float64(v)) < 65504 {
			got := float64(fromFloat16(h))
			for _, n := range []uint16{h - 1, h + 1} {
				if o := float64(fromFloat16(n)); !math.IsInf(o, 0) && o == o && math.Abs(o-float64(v)) < math.Abs(got-float64(v)) {
					t.Fatalf("%v to float16 is %v, %v is nearer", v, got, o)
				}
			}
		}
	}
	for v, want := range map[float32]uint16{65504: 0x7bff, 65519: 0x7bff, 65520: 0x7c00, float32(math.Inf(-1)): 0xfc00, 0x1p-24: 1, 0x1p-25: 0, 0x1.8p-25: 1, 0x1.004p0: 0x3c01, 0x1.002p0: 0x3c00, 0x1.006p0: 0x3c02} {
		if got := toFloat16(v); got != want {
			t.Errorf("%v to float16 is %#04x, want %#04x", v, got, want)
		}
	}
	if h := toFloat16(float32(math.NaN())); fromFloat16(h) == fromFloat16(h) {
		t.Error("NaN to float16 is a number")
	}
	if b := toBFloat16(float32(math.NaN())); b&0x7f == 0 || b&0x7f80 != 0x7f80 {
		t.Error("NaN to bfloat16 is a number")
	}
}
