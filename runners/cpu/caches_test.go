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
