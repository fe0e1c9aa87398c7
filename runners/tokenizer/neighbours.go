package tokenizer

import "unicode/utf8"

// neighbours is a set of pairs of characters, those that stand side by side in some token. A token may begin or end
// within a character; such a part is known by its byte next to the boundary, which may report pairs that no token has,
// but never misses one.
type neighbours struct {
	pairs *pairTable
	ascii [128 * 128 / 64]uint64
	left  [256]bool // bytes by which some token ends the part of a character before a boundary
	right [256]bool // bytes by which some token begins the part after one
}

// partOf stands for an incomplete character; above all characters.
func partOf(b byte) rune { return utf8.MaxRune + 1 + rune(b) }

func newNeighbours() *neighbours { return &neighbours{pairs: newPairTable(1 << 10)} }

// note adds the neighbours within a token, given as the bytes it stands for.
func (n *neighbours) note(token string) {
	prev := rune(-1)
	for len(token) > 0 {
		r, size := utf8.DecodeRuneInString(token)
		next := r
		if r == utf8.RuneError && size == 1 {
			b := token[0]
			next = partOf(b)
			if !utf8.RuneStart(b) { // the end of a character that begins before the token
				n.left[b] = true
				prev = next
				token = token[1:]
				continue
			}
			n.right[b] = true
			size = len(token) // the beginning of a character that ends after the token
		}
		if prev >= 0 {
			if prev < 128 && next < 128 {
				i := prev<<7 | next
				n.ascii[i>>6] |= 1 << (i & 63)
			} else {
				n.pairs.set(prev, next, merge{})
			}
		}
		prev = next
		token = token[size:]
	}
}

// has reports whether a token may reach across the boundary between a and b.
func (n *neighbours) has(a, b rune) bool {
	if a < 128 && b < 128 {
		i := a<<7 | b
		return n.ascii[i>>6]&(1<<(i&63)) != 0
	}
	if n.pair(a, b) {
		return true
	}
	var buf [utf8.UTFMax]byte
	endOfA, startOfB := rune(-1), rune(-1)
	if a >= 128 {
		if last := buf[utf8.EncodeRune(buf[:], a)-1]; n.left[last] {
			endOfA = partOf(last)
		}
	}
	if b >= 128 {
		utf8.EncodeRune(buf[:], b)
		if n.right[buf[0]] {
			startOfB = partOf(buf[0])
		}
	}
	return endOfA >= 0 && n.pair(endOfA, b) || startOfB >= 0 && n.pair(a, startOfB) ||
		endOfA >= 0 && startOfB >= 0 && n.pair(endOfA, startOfB)
}

func (n *neighbours) pair(a, b rune) bool {
	_, ok := n.pairs.get(a, b)
	return ok
}
