package tokenizer

// pairTable maps a pair of ids to a merge. It is a hash table with open addressing, at most half full. (Look-ups in a Go
// map would take most of the time of encoding.)
type pairTable struct {
	slots []pairSlot
	mask  uint64
	used  int
}

type pairSlot struct {
	key   uint64 // left id in the high half; noPair if the slot is empty
	value merge
}

// merge is the id that a pair of symbols becomes, and its rank. Lower ranks are merged first.
type merge struct{ rank, id int32 }

const noPair = ^uint64(0)

func newPairTable(n int) *pairTable {
	size := 16
	for size < 2*n {
		size *= 2
	}
	t := &pairTable{slots: make([]pairSlot, size), mask: uint64(size - 1)}
	for i := range t.slots {
		t.slots[i].key = noPair
	}
	return t
}

func pairKey(left, right int32) uint64 { return uint64(uint32(left))<<32 | uint64(uint32(right)) }

func (t *pairTable) slot(key uint64) *pairSlot {
	h := key ^ key>>32
	h *= 0x9E3779B97F4A7C15 // 2^64 divided by the golden ratio
	h ^= h >> 29
	for i := h & t.mask; ; i = (i + 1) & t.mask {
		if s := &t.slots[i]; s.key == key || s.key == noPair {
			return s
		}
	}
}

// set stores a value and replaces an earlier one.
func (t *pairTable) set(left, right int32, v merge) {
	key := pairKey(left, right)
	s := t.slot(key)
	if s.key == noPair {
		if 2*(t.used+1) > len(t.slots) {
			t.grow()
			s = t.slot(key)
		}
		t.used++
	}
	*s = pairSlot{key, v}
}

func (t *pairTable) grow() {
	old := t.slots
	*t = *newPairTable(len(old))
	for _, s := range old {
		if s.key != noPair {
			*t.slot(s.key) = s
			t.used++
		}
	}
}

func (t *pairTable) get(left, right int32) (merge, bool) {
	key := pairKey(left, right)
	s := t.slot(key)
	return s.value, s.key == key
}
