package engine

import "testing"

// The first outputs of SplitMix64 seeded with 0, as its authors' program gives them.
func TestRandomValue(t *testing.T) {
	for i, output := range []uint64{0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F} {
		want := 0.5 * (float32(output>>40)/(1<<23) - 1)
		for seed := range uint64(i + 1) {
			if got := RandomValue(seed, uint64(i)-seed, 0.5); got != want {
				t.Errorf("number %d of seed %d: %v, want %v", uint64(i)-seed, seed, got, want)
			}
		}
	}
}
