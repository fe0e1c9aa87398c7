package lookup

import (
	"cmp"
	"strings"
)

// Nearest returns the name that a mistyped one is most like, "" where none is near: within
// two letters (inserted, left out, changed, or two that changed places), and fewer than half
// of them; or the only one that begins with what was typed, or else that has it, three letters
// or more, anywhere. Capitals are letters as others.
func Nearest(typed string, names []string) string {
	best, distance := "", min(2, (len([]rune(typed))-1)/2)+1
	for _, name := range names {
		d := edits([]rune(strings.ToLower(typed)), []rune(strings.ToLower(name)))
		if d < distance || d == distance && best != "" && cmp.Less(name, best) {
			best, distance = name, d
		}
	}
	if best != "" {
		return best
	}
	typed = strings.ToLower(typed)
	if only, ok := theOnly(names, func(name string) bool { return typed != "" && strings.HasPrefix(name, typed) }); ok {
		return only
	}
	only, _ := theOnly(names, func(name string) bool { return len([]rune(typed)) >= 3 && strings.Contains(name, typed) })
	return only
}

// theOnly returns the one name that is so in small letters, "" where several are; and whether any is.
func theOnly(names []string, is func(string) bool) (only string, found bool) {
	for _, name := range names {
		if !is(strings.ToLower(name)) {
			continue
		}
		if found {
			return "", true
		}
		only, found = name, true
	}
	return only, found
}

// edits is the least number of letters inserted, left out, changed, or swapped with their
// neighbour that makes b of a.
func edits(a, b []rune) int {
	d := make([][]int, len(a)+1) // d[i][j] is of the first i letters of a and the first j of b
	for i := range d {
		d[i] = make([]int, len(b)+1)
		d[i][0] = i
	}
	for j := range d[0] {
		d[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			changed := 1
			if a[i-1] == b[j-1] {
				changed = 0
			}
			d[i][j] = min(d[i-1][j]+1, d[i][j-1]+1, d[i-1][j-1]+changed)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(a)][len(b)]
}
