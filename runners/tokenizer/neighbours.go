package tokenizer

import "unicode/utf8"

// neighbours is the set of pairs of characters that stand side by side in some token. A token may begin or end within a
// character. Such a part is represented only by its byte next to the boundary, so the set may report a pair that no
// token has, but never misses one.
type neighbours struct {
	ascii [128 * 128 / 64]uint64
	pairs *pairTable
	parts *pairTable // pairs with an incomplete character: a small table, because it is used often
	left  [256]bool  // last bytes of incomplete characters on the left of a pair
	right [256]bool  // first bytes of incomplete characters on the right
}

// partOf represents an incomplete character by a number above all characters.
func partOf(b byte) rune { return utf8.MaxRune + 1 + rune(b) }

func newNeighbours() *neighbours {
	return &neighbours{pairs: newPairTable(1 << 10), parts: newPairTable(1 << 6)}
}

// note adds the neighbours within a token, given as the bytes that it stands for.
func (n *neighbours) note(token string) {
	prev := rune(-1)
	for len(token) > 0 {
		next, size := utf8.DecodeRuneInString(token)
		if next == utf8.RuneError && size == 1 {
			next = partOf(token[0])
			if utf8.RuneStart(token[0]) {
				size = len(token) // the start of a character that ends after the token
			} else { // the end of a character that begins before the token
				prev, token = next, token[1:]
				continue
			}
		}
		if prev >= 0 {
			n.add(prev, next)
		}
		prev, token = next, token[size:]
	}
}

func (n *neighbours) add(a, b rune) {
	switch {
	case a < 128 && b < 128:
		i := a<<7 | b
		n.ascii[i>>6] |= 1 << (i & 63)
	case a <= utf8.MaxRune && b <= utf8.MaxRune:
		n.pairs.set(a, b, merge{})
	default:
		n.parts.set(a, b, merge{})
		if a > utf8.MaxRune {
			n.left[byte(a-partOf(0))] = true
		}
		if b > utf8.MaxRune {
			n.right[byte(b-partOf(0))] = true
		}
	}
}

// has reports whether a token may cross the boundary between a and b.
func (n *neighbours) has(a, b rune) bool {
	if a < 128 && b < 128 {
		i := a<<7 | b
		return n.ascii[i>>6]&(1<<(i&63)) != 0
	}
	if _, ok := n.pairs.get(a, b); ok {
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
	return endOfA >= 0 && n.part(endOfA, b) || startOfB >= 0 && n.part(a, startOfB) ||
		endOfA >= 0 && startOfB >= 0 && n.part(endOfA, startOfB)
}

func (n *neighbours) part(a, b rune) bool {
	_, ok := n.parts.get(a, b)
	return ok
}
