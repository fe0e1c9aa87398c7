package datasets

import (
	"strings"
	"unicode"
)

// strip is Python's str.strip, whose white space has the four information separators besides Unicode's.
func strip(text string) string {
	return strings.TrimFunc(text, func(r rune) bool { return unicode.IsSpace(r) || 0x1c <= r && r <= 0x1f })
}
