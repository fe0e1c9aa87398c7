package cpu

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/snapbench/snapbench/runners/engine/cacheformat"
)

// TestDecode: kernels that decode caches give what the formats' own code gives, to the bit, for every code under every
// scale that is finite, and write nothing else.
func TestDecode(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, k := range available() {
		for name, decode := range k.decode {
			f, err := cacheformat.Get(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, by := range []cacheformat.Codec{f.Key, f.Value} {
				for _, size := range []int{32, 64, 96, 256, 65536} {
					codes := make([]byte, by.Bytes(size))
					for i := range codes {
						codes[i] = byte(rng.Uint32())
						// The high byte of a half or bfloat16, or of a block's scale: not all ones in the exponent.
						high := i%2 == 1
						if block := by.Bytes(32); block < 64 {
							high = i%block == 1
						}
						for high && codes[i]&0x7c == 0x7c {
							codes[i] = byte(rng.Uint32())
						}
					}
					want, got := make([]float32, size), make([]float32, size+1)
					got[size] = 7
					by.Decode(want, codes, size, 1)
					decode(size, &codes[0], &got[0])
					for i, v := range want {
						if math.Float32bits(v) != math.Float32bits(got[i]) {
							t.Fatalf("%s, %s, %d numbers: number %d is %v, want %v", k.name, name, size, i, got[i], v)
						}
					}
					if got[size] != 7 {
						t.Errorf("%s, %s, %d numbers: wrote behind them", k.name, name, size)
					}
				}
			}
		}
	}
}

// TestDecodeGroups: formats whose codecs decode by kernels give what their own codecs give, to the bit, for keys and values of ordinary sizes
// and of extremes, and write nothing else.
func TestDecodeGroups(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	k := available()[0] // all that have such formats have the same
	for name, fast := range k.formats {
		f, err := cacheformat.Get(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, size := range []int{32, 64, 96, 128, 192, 256, 320} {
			if f.Fits(size) != nil {
				continue
			}
			const n = 200
			for _, magnitude := range []float64{1, 1e-3, 300, 1e-7, 0} {
				x := make([]float32, 2*n*size)
				for i := range x {
					x[i] = float32(rng.NormFloat64() * magnitude)
				}
				most := []float32{cacheformat.Magnitude(x)}
				var scale cacheformat.Scale
				if f.Calibration != cacheformat.Uncalibrated {
					scale = f.Calibrate(most, most)[0]
				}
				keyRoom, valueRoom := f.Rooms(n, size)
				keys, values := make([]byte, keyRoom), make([]byte, valueRoom)
				if err := f.Fill(keys, values, x[:n*size], x[n*size:], size, scale); err != nil {
					t.Fatal(err)
				}
				for _, part := range [][2]int{{0, n}, {33, 101}, {n - 1, n}} {
					lo, hi := part[0], part[1]
					want, got := make([]float32, (hi-lo)*size), make([]float32, (hi-lo)*size+1)
					for what, read := range map[string]func(f *cacheformat.Format, dst []float32){
						"keys":   func(f *cacheformat.Format, dst []float32) { f.Keys(dst, keys, lo, hi, n, size, scale) },
						"values": func(f *cacheformat.Format, dst []float32) { f.Values(dst, values, lo, hi, n, size, scale) },
					} {
						got[len(want)] = 7
						read(f, want)
						read(fast, got)
						for i, v := range want {
							if math.Float32bits(v) != math.Float32bits(got[i]) {
								t.Fatalf("%s, %s of %s around %g, heads of %d: number %d of entry %d is %v, want %v", k.name, what, name, magnitude, size, i%size, lo+i/size, got[i], v)
							}
						}
						if got[len(want)] != 7 {
							t.Errorf("%s, %s of %s, heads of %d: wrote behind them", k.name, what, name, size)
						}
					}
				}
			}
		}
	}
}
