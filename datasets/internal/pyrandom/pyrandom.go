// Package pyrandom draws the numbers that CPython's random (3.11) and numpy's
// RandomState draw for a seed, bit for bit, so that a benchmark whose samples are
// defined by a Python program and a seed can be made without that program.
package pyrandom

import (
	"fmt"
	"math/bits"
)

// Random is Python's random.Random. It is not safe for concurrent use.
type Random struct{ t twister }

// New is random.Random(seed).
func New(seed uint64) *Random {
	if seed>>32 == 0 {
		return newKey([]uint32{uint32(seed)})
	}
	return newKey([]uint32{uint32(seed), uint32(seed >> 32)})
}

// newKey is random.Random of the whole number whose 32-bit digits, lowest first, are key.
func newKey(key []uint32) *Random {
	r := &Random{}
	r.t.seedKey(key)
	return r
}

// Position is how many numbers of 32 bits were drawn. A new generator of the same seed that
// skips so many goes on as this one does.
func (r *Random) Position() int { return r.t.position() }

// Skip draws n numbers of 32 bits. It takes about a nanosecond for each.
func (r *Random) Skip(n int) { r.t.skip(n) }

// Float is random.random(): uniform in [0, 1), of 53 bits.
func (r *Random) Float() float64 {
	a, b := r.t.uint32()>>5, r.t.uint32()>>6
	return (float64(a)*(1<<26) + float64(b)) / (1 << 53)
}

// Bits is random.getrandbits(k), 1 <= k <= 128, its upper and lower 64 bits.
func (r *Random) Bits(k int) (hi, lo uint64) {
	if k < 1 || k > 128 {
		panic(fmt.Sprintf("pyrandom: %d random bits: want 1 to 128", k))
	}
	for i := 0; i < k; i += 32 { // lowest digit first, the last one cut
		digit := uint64(r.t.uint32())
		if k-i < 32 {
			digit >>= 32 - (k - i)
		}
		if i < 64 {
			lo |= digit << i
		} else {
			hi |= digit << (i - 64)
		}
	}
	return hi, lo
}

// Below is random.randrange(n), n > 0: also the index that random.choice draws from a
// sequence of n.
func (r *Random) Below(n int) int {
	if n <= 0 {
		panic(fmt.Sprintf("pyrandom: random number below %d", n))
	}
	k := bits.Len(uint(n))
	for {
		if _, v := r.Bits(k); v < uint64(n) {
			return int(v)
		}
	}
}

// Between is random.randint(a, b): both ends are possible.
func (r *Random) Between(a, b int) int { return a + r.Below(b-a+1) }

// Choices is the indices that random.choices draws from a sequence of n, k times with
// replacement.
func (r *Random) Choices(n, k int) []int {
	list := make([]int, k)
	for i := range list {
		list[i] = int(r.Float() * float64(n))
	}
	return list
}

// Letters is ”.join(random.choices(alphabet, k=k)) of an alphabet in ASCII.
func (r *Random) Letters(alphabet string, k int) string {
	text := make([]byte, k)
	for i, c := range r.Choices(len(alphabet), k) {
		text[i] = alphabet[c]
	}
	return string(text)
}

// Sample is random.sample(range(n), k): k different indices in the order drawn.
func (r *Random) Sample(n, k int) []int {
	if k < 0 || k > n {
		panic(fmt.Sprintf("pyrandom: a sample of %d out of %d", k, n))
	}
	// Python takes the way that it expects to need less memory. They draw alike, and
	// differ in what a number drawn stands for.
	set := 21
	if k > 5 {
		power := 1
		for power < 3*k {
			power *= 4
		}
		set += power
	}
	list := make([]int, k)
	if n <= set {
		pool := make([]int, n)
		for i := range pool {
			pool[i] = i
		}
		for i := range list {
			j := r.Below(n - i)
			list[i] = pool[j]
			pool[j] = pool[n-i-1]
		}
		return list
	}
	taken := make(map[int]bool, k)
	for i := range list {
		j := r.Below(n)
		for taken[j] {
			j = r.Below(n)
		}
		taken[j] = true
		list[i] = j
	}
	return list
}

// Shuffle is random.shuffle of n elements.
func (r *Random) Shuffle(n int, swap func(i, j int)) {
	for i := n - 1; i > 0; i-- {
		swap(i, r.Below(i+1))
	}
}

// UUID is str(uuid.UUID(int=random.getrandbits(128), version=4)).
func (r *Random) UUID() string {
	hi, lo := r.Bits(128)
	hi = hi&^0xf000 | 0x4000
	lo = lo&^(3<<62) | 2<<62
	return fmt.Sprintf("%08x-%04x-%04x-%04x-%012x", hi>>32, hi>>16&0xffff, hi&0xffff, lo>>48, lo&(1<<48-1))
}
