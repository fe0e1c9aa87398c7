package engine

import (
	"testing"

	"github.com/snapbench/snapbench/runners/engine/cacheformat"
)

// Heads of unequal length encode their residuals at different steps: the largest state is that of one moment, not each head's own
// largest added up. It is counted here entry by entry, for heads that begin with 40, 63 and 70 entries in KIVI's residual of 32, beside one of the device's own numbers.
func TestPeakOfUnequalHeads(t *testing.T) {
	f, err := cacheformat.Get("kivi2")
	if err != nil {
		t.Fatal(err)
	}
	const size = 32
	group, value, half := int64(f.Key.Bytes(size)), int64(f.Value.Bytes(size)), int64(2*size)
	type head struct{ keys, values, groups, encoded int64 } // of the residual, and encoded
	begin := func(n int64) head { return head{n % 32, min(n, 32), n / 32, max(0, n-32)} }
	caches := []Cache{{Len: []int{40, 63}, Size: size, Packed: &Packed{Format: f}}, {Len: []int{70}, Size: size, Packed: &Packed{Format: f}}, {Len: []int{5}, Size: size}}
	less := 0 // than the heads' own largest states together
	for _, more := range []int{0, 1, 5, 31, 32, 33, 40, 64, 100} {
		heads, plain := []head{begin(40), begin(63), begin(70)}, 5*4*half // plain are those of a head of the device's own float32
		bytes := func() (all int64) {
			all = plain
			for _, h := range heads {
				all += (h.keys+h.values)*half + h.groups*group + h.encoded*value
			}
			return all
		}
		want := bytes()
		for range more {
			plain += 4 * half
			for i := range heads {
				heads[i].keys++
				heads[i].values++
			}
			want = max(want, bytes())
			for i := range heads {
				if heads[i].keys == 32 {
					heads[i].keys, heads[i].groups = 0, heads[i].groups+1
				}
				if heads[i].values == 33 {
					heads[i].values, heads[i].encoded = 32, heads[i].encoded+1
				}
			}
			want = max(want, bytes())
		}
		if got := PeakHeld(caches, Float32, more); got != want {
			t.Errorf("%d more: %d bytes at most, want %d", more, got, want)
		}
		if f.PeakBytes(40, more, size)+f.PeakBytes(63, more, size)+f.PeakBytes(70, more, size)+plain > want {
			less++
		}
	}
	if less == 0 {
		t.Error("the heads are largest at the same moment: the test shows nothing")
	}
}
