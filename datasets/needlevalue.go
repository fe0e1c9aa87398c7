package datasets

import (
	"fmt"
	"slices"
	"strings"
)

// draw draws a text that is not among taken, and not in the haystack unless it is so short
// that it is bound to be there.
func (t *needleTask) draw(taken []string, next func() string) (string, error) {
	var text string
	for range 200 {
		text = next()
		if !slices.Contains(taken, text) && !strings.Contains(t.hay.text, text) {
			return text, nil
		}
	}
	// A number of one digit is in any haystack.
	for range 200 {
		if text = next(); !slices.Contains(taken, text) {
			return text, nil
		}
	}
	return "", fmt.Errorf("no %d different values like %q", len(taken)+1, text)
}

// number returns a function that draws numbers of so many digits, the first not 0.
func (r *random) number(digits int) func() string {
	return func() string {
		b := make([]byte, digits)
		for i := range b {
			if i == 0 {
				b[i] = byte('1' + r.intn(9))
			} else {
				b[i] = byte('0' + r.intn(10))
			}
		}
		return string(b)
	}
}

// words returns a function that draws so many words joined by hyphens, as "amber-otter".
func (r *random) words(n int) func() string {
	return func() string {
		list := make([]string, n)
		for i := range list {
			if i == n-1 {
				list[i] = secondWords[r.intn(len(secondWords))]
			} else {
				list[i] = firstWords[r.intn(len(firstWords))]
			}
		}
		return strings.Join(list, "-")
	}
}

// uuid draws a UUID of version 4.
func (r *random) uuid() string {
	hi, lo := r.uint64(), r.uint64()
	hi = hi&^0xf000 | 0x4000
	lo = lo&^(3<<62) | 2<<62
	return fmt.Sprintf("%08x-%04x-%04x-%04x-%012x", hi>>32, hi>>16&0xffff, hi&0xffff, lo>>48, lo&(1<<48-1))
}

// variable draws a name of five capital letters.
func (r *random) variable() string {
	b := make([]byte, 5)
	for i := range b {
		b[i] = byte('A' + r.intn(26))
	}
	return string(b)
}
