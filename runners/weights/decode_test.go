package weights

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
)

func storages() []engine.Storage {
	var all []engine.Storage
	for s := engine.F32; s <= engine.MXFP4; s++ {
		all = append(all, s)
	}
	return all
}

// TestHalfIsExact compares every half with its definition in float64.
func TestHalfIsExact(t *testing.T) {
	for h := range 1 << 16 {
		exponent, fraction := h>>10&31, float64(h&1023)
		var want float64
		switch {
		case exponent == 31 && fraction == 0:
			want = math.Inf(1)
		case exponent == 31:
			want = math.NaN()
		case exponent == 0:
			want = math.Ldexp(fraction, -24)
		default:
			want = math.Ldexp(1024+fraction, exponent-25)
		}
		if h>>15 == 1 {
			want = -want
		}
		got := halfToFloat(uint16(h))
		if math.Float32bits(got) != math.Float32bits(halves()[h]) {
			t.Fatalf("half %#04x is %v, in the table %v", h, got, halves()[h])
		}
		if math.IsNaN(want) {
			if !math.IsNaN(float64(got)) {
				t.Fatalf("half %#04x is %v, want NaN", h, got)
			}
			continue
		}
		if math.Float32bits(got) != math.Float32bits(float32(want)) {
			t.Fatalf("half %#04x is %v, want %v", h, got, want)
		}
	}
}

// TestDecodeRowPlain: the loops over rows take four numbers at a time. The test tries
// every length around that, at odd alignment.
func TestDecodeRowPlain(t *testing.T) {
	for n := range 20 {
		want := make([]float32, n)
		var f32, f16, bf16 []byte
		f32, f16, bf16 = append(f32, 0), append(f16, 0), append(bf16, 0)
		for i := range want {
			// ±1.5·2^(i-10) has few bits, so all three types can hold it.
			want[i] = float32(math.Ldexp(1.5, i-10)) * float32(1-2*(i%2))
			bits := math.Float32bits(want[i])
			f32 = le.AppendUint32(f32, bits)
			bf16 = le.AppendUint16(bf16, uint16(bits>>16))
			f16 = le.AppendUint16(f16, uint16(i%2<<15|(i-10+15)<<10|0x200))
		}
		for _, c := range []struct {
			s   engine.Storage
			raw []byte
		}{{engine.F32, f32[1:]}, {engine.F16, f16[1:]}, {engine.BF16, bf16[1:]}} {
			got := make([]float32, n)
			DecodeRow(c.s, c.raw, got)
			if err := sameBits(got, want); err != nil {
				t.Errorf("%s, %d numbers: %v", c.s, n, err)
			}
		}
	}
}

// TestQ4_1ByHand decodes two blocks; the halves are 0x3800 (0.5), 0xbc00 (-1), 0x2e66 (about 0.1).
func TestQ4_1ByHand(t *testing.T) {
	raw := make([]byte, 40)
	copy(raw, []byte{0x00, 0x38, 0x00, 0xbc}) // d = 0.5, m = -1
	for i := range 16 {
		raw[4+i] = byte(i | (15-i)<<4)
	}
	copy(raw[20:], []byte{0x66, 0x2e, 0x00, 0x38}) // d = 0.0999755859375, m = 0.5
	raw[24] = 0x73
	got := make([]float32, 64)
	DecodeRow(engine.Q4_1, raw, got)
	for i := range 16 {
		if want := float32(i)/2 - 1; got[i] != want {
			t.Errorf("number %d is %v, want %v", i, got[i], want)
		}
		if want := float32(15-i)/2 - 1; got[16+i] != want {
			t.Errorf("number %d is %v, want %v", 16+i, got[16+i], want)
		}
	}
	for i, want := range map[int]float32{32: 0.7999267578125, 33: 0.5, 48: 1.1998291015625} {
		if got[i] != want {
			t.Errorf("number %d is %v, want %v", i, got[i], want)
		}
	}
}

// TestBlocksAgainstGGUFPy compares random blocks of all quantised types with gguf-py (testdata/blocks.py).
func TestBlocksAgainstGGUFPy(t *testing.T) {
	f, err := Open("testdata/blocks.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, s := range storages() {
		elements, _ := BlockSize(s)
		if elements == 1 {
			continue
		}
		raw, err := f.Tensor(s.String() + ".raw")
		if err != nil {
			t.Error(err)
			continue
		}
		values, err := f.Tensor(s.String() + ".values")
		if err != nil {
			t.Fatal(err)
		}
		want, err := values.Floats()
		if err != nil {
			t.Fatal(err)
		}
		got := make([]float32, len(want))
		DecodeRow(s, raw.Raw(), got)
		if s == engine.MXFP4 { // gguf-py has whole numbers in its table, and so no -0
			for i := range got {
				got[i] += 0
			}
		}
		if err := sameBits(got, want); err != nil {
			t.Errorf("%s: %v", s, err)
		}
	}
}

func TestDecodeRowChecksLengths(t *testing.T) {
	for _, s := range storages() {
		elements, bytes := BlockSize(s)
		for _, c := range [][2]int{{bytes - 1, elements}, {bytes + 1, elements}, {bytes, 2 * elements}, {bytes, elements + 1}} {
			if !panics(func() { DecodeRow(s, make([]byte, c[0]), make([]float32, c[1])) }) {
				t.Errorf("%s: %d bytes for %d numbers: no panic", s, c[0], c[1])
			}
		}
	}
}

func panics(f func()) (did bool) {
	defer func() {
		r := recover()
		did = r != nil && strings.HasPrefix(fmt.Sprint(r), "weights: ") // not a panic of the runtime, such as for an index
	}()
	f()
	return false
}

func BenchmarkDecodeRow(b *testing.B) {
	for _, s := range storages() {
		elements, bytes := BlockSize(s)
		raw, dst := make([]byte, 4096/elements*bytes), make([]float32, 4096)
		for i := range raw {
			raw[i] = byte(i * 37 & 0x3f)
		}
		b.Run(s.String(), func(b *testing.B) {
			b.SetBytes(int64(4 * len(dst))) // bytes of float32 that are written
			for b.Loop() {
				DecodeRow(s, raw, dst)
			}
		})
	}
}
