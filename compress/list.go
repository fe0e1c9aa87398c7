package compress

import (
	"fmt"
	"strconv"
	"strings"
)

// List is a parameter's values: one for all layers, or one per layer, written
// "5" or "5|5|7|7"; "[5,5,7,7]" is read too.
type List[T any] []T

// At returns a layer's value.
func (l List[T]) At(layer int) T {
	if len(l) == 1 {
		return l[0]
	}
	return l[layer]
}

func (l List[T]) text(one func(T) string) string {
	parts := make([]string, len(l))
	for i, v := range l {
		parts[i] = one(v)
	}
	return strings.Join(parts, "|")
}

func parseList[T any](what, text string, one func(string) (T, error)) (List[T], error) {
	separator := "|"
	if inside, ok := strings.CutPrefix(text, "["); ok && strings.HasSuffix(inside, "]") {
		text, separator = strings.TrimSuffix(inside, "]"), ","
	}
	var l List[T]
	for part := range strings.SplitSeq(text, separator) {
		v, err := one(strings.TrimSpace(part))
		if err != nil {
			return nil, fmt.Errorf("%s %w", what, err)
		}
		l = append(l, v)
	}
	return l, nil
}

func positive(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%q: want a whole number above 0", s)
	}
	return n, nil
}
