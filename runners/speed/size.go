package speed

import (
	"fmt"
	"strconv"
	"strings"
)

// ParseBytes reads an amount of memory: "16g", "900m", "1000000". The suffixes are powers
// of 1024.
func ParseBytes(s string) (int64, error) {
	digits, factor := strings.ToLower(strings.TrimSpace(s)), int64(1)
	for suffix, f := range map[string]int64{"k": 1 << 10, "m": 1 << 20, "g": 1 << 30} {
		if d, ok := strings.CutSuffix(digits, suffix); ok {
			digits, factor = d, f
			break
		}
	}
	x, err := strconv.ParseFloat(digits, 64)
	if err != nil || !(x*float64(factor) >= 1 && x*float64(factor) < 1<<62) { // "nan" is neither
		return 0, fmt.Errorf("size %q: want bytes, as 16g or 900m", s)
	}
	return int64(x * float64(factor)), nil
}
