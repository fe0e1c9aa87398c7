package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// GPT-2's byte level (Radford et al. 2019) writes every byte as a visible character: printable Latin-1 bytes as
// themselves, the others as U+0100 and following.
var (
	byteToChar [256]rune
	charToByte = map[rune]byte{}
)

func init() {
	next := rune(256)
	for b := range 256 {
		r := rune(b)
		if !(b >= '!' && b <= '~' || b >= 0xA1 && b <= 0xAC || b >= 0xAE && b <= 0xFF) {
			r = next
			next++
		}
		byteToChar[b] = r
		charToByte[r] = byte(b)
	}
}

// unbyteLevel appends the bytes that a token stands for. A token with a character outside the byte level stands for
// itself.
func unbyteLevel(dst []byte, token string) []byte {
	n := len(dst)
	for _, r := range token {
		b, ok := charToByte[r]
		if !ok {
			return append(dst[:n], token...)
		}
		dst = append(dst, b)
	}
	return dst
}

// byteToken reads a byte-fallback token, such as <0x0A>.
func byteToken(token string) (byte, bool) {
	if len(token) != 6 || token[:3] != "<0x" || token[5] != '>' {
		return 0, false
	}
	hi, ok1 := hexDigit(token[3])
	lo, ok2 := hexDigit(token[4])
	return hi<<4 | lo, ok1 && ok2
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10, true
	}
	return 0, false
}

// lossyUTF8 writes the characters of b to w, with U+FFFD for each maximal ill-formed part (Unicode 16, section 3.9.6).
// It returns the bytes at the end that may become a character with more bytes; none if atEnd is set.
func lossyUTF8(w *strings.Builder, b []byte, atEnd bool) (rest []byte) {
	for len(b) > 0 {
		if b[0] < utf8.RuneSelf {
			w.WriteByte(b[0])
			b = b[1:]
			continue
		}
		r, n := utf8.DecodeRune(b)
		if r != utf8.RuneError || n > 1 {
			w.Write(b[:n])
			b = b[n:]
			continue
		}
		if !atEnd && !utf8.FullRune(b) {
			return b
		}
		w.WriteString("\uFFFD")
		b = b[illFormed(b):]
	}
	return nil
}

// illFormed returns the length of the maximal ill-formed start of b: the longest incomplete character, or one byte.
func illFormed(b []byte) int {
	n := 1
	// FullRune is false exactly for incomplete characters.
	for n < len(b) && n < utf8.UTFMax && !utf8.FullRune(b[:n+1]) {
		n++
	}
	return n
}

// validUTF8 returns s with each maximal ill-formed part replaced by U+FFFD.
func validUTF8(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	lossyUTF8(&b, []byte(s), true)
	return b.String()
}
