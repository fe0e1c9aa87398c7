package datasets

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// random is a stream of numbers that depends on its key alone, on every
// machine and with every Go version: SplitMix64 (Steele, Lea and Flood, 2014),
// seeded by the key's SHA-256. A change to it changes prompts, and with them the identity of
// stored rows.
type random struct{ state uint64 }

// newRandom returns the stream of a key.
func newRandom(key string) *random {
	sum := sha256.Sum256([]byte(key))
	return &random{binary.LittleEndian.Uint64(sum[:])}
}

func (r *random) uint64() uint64 {
	r.state += 0x9e3779b97f4a7c15
	z := r.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// intn returns a uniform number in [0, n), n > 0. Values below 2^64 mod n are
// drawn again, so that every remainder is equally likely.
func (r *random) intn(n int) int {
	if n <= 0 {
		panic(fmt.Sprintf("datasets: random number below %d", n))
	}
	reject := -uint64(n) % uint64(n)
	for {
		if v := r.uint64(); v >= reject {
			return int(v % uint64(n))
		}
	}
}

// float returns a uniform number in [0, 1) of 53 bits.
func (r *random) float() float64 { return float64(r.uint64()>>11) / (1 << 53) }
