package pyrandom

// twister is MT19937 (Matsumoto and Nishimura, 1998), the source of numbers of
// both Python's random and numpy's RandomState.
type twister struct {
	state [twisterSize]uint32
	next  int // index of the next word of state to hand out
	fills int // how often state was filled
}

const (
	twisterSize  = 624
	twisterShift = 397
)

// seed is the original's init_genrand.
func (t *twister) seed(s uint32) {
	t.state[0] = s
	for i := uint32(1); i < twisterSize; i++ {
		prev := t.state[i-1]
		t.state[i] = 1812433253*(prev^prev>>30) + i
	}
	t.next, t.fills = twisterSize, 0
}

// seedKey is the original's init_by_array. key has at least one word.
func (t *twister) seedKey(key []uint32) {
	t.seed(19650218)
	s := &t.state
	i, j := 1, 0
	step := func() {
		if i++; i == twisterSize {
			s[0] = s[twisterSize-1]
			i = 1
		}
	}
	for range max(twisterSize, len(key)) {
		s[i] = (s[i] ^ (s[i-1]^s[i-1]>>30)*1664525) + key[j] + uint32(j)
		step()
		if j++; j == len(key) {
			j = 0
		}
	}
	for range twisterSize - 1 {
		s[i] = (s[i] ^ (s[i-1]^s[i-1]>>30)*1566083941) - uint32(i)
		step()
	}
	s[0] = 1 << 31
}

// uint32 returns the next 32 bits.
func (t *twister) uint32() uint32 {
	if t.next == twisterSize {
		t.refill()
	}
	y := t.state[t.next]
	t.next++
	y ^= y >> 11
	y ^= y << 7 & 0x9d2c5680
	y ^= y << 15 & 0xefc60000
	return y ^ y>>18
}

func (t *twister) refill() {
	s := &t.state
	for i := range s {
		y := s[i]&(1<<31) | s[(i+1)%twisterSize]&(1<<31-1)
		s[i] = s[(i+twisterShift)%twisterSize] ^ y>>1 ^ -(y&1)&0x9908b0df
	}
	t.next = 0
	t.fills++
}

// position is how many words were handed out.
func (t *twister) position() int { return t.fills*twisterSize - (twisterSize - t.next) }

// skip hands out n words to nobody.
func (t *twister) skip(n int) {
	for n > 0 {
		if t.next == twisterSize {
			t.refill()
		}
		k := min(n, twisterSize-t.next)
		t.next += k
		n -= k
	}
}
