package gate

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// One flipped bit in a file of limits is an error that names the file and a line, or
// other limits, which the gate prints: never a panic, never none.
func TestLimitsFlippedBits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "limits.yaml")
	text := []byte("max_drop: 1\nmax_kl_rise: 0.005\nmax_slowdown: 1.5\nmax_peak: 12GiB\ntasks:\n  trec:\n    max_drop: 2%\n")
	refused, taken := 0, 0
	flip(text, 8, func(at int, flipped []byte) {
		if err := os.WriteFile(path, flipped, 0o644); err != nil {
			t.Fatal(err)
		}
		l, err := ReadLimits(path)
		if err != nil {
			refused++
			if !strings.Contains(err.Error(), path) {
				t.Errorf("byte %d: %v does not name the file", at, err)
			}
			return
		}
		taken++
		if l.MaxDrop == nil && l.MaxKLRise == nil && l.MaxSlowdown == nil && l.MaxPeak == nil {
			t.Errorf("byte %d: no limit is left of\n%s", at, flipped)
		}
	})
	if refused == 0 {
		t.Error("nothing was refused")
	}
	t.Logf("%d flipped bits: %d refused, %d are other limits", refused+taken, refused, taken)
}

// flip calls f with each byte changed in some of its bits, one at a time.
func flip(whole []byte, bits int, f func(at int, flipped []byte)) {
	rng := rand.New(rand.NewPCG(15, 6))
	if os.Getenv("SNAPBENCH_LONG") != "" {
		bits = 8
	}
	for at := range whole {
		for _, bit := range rng.Perm(8)[:bits] {
			flipped := bytes.Clone(whole)
			flipped[at] ^= 1 << bit
			f(at, flipped)
		}
	}
}
