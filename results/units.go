package results

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Points writes a score of 0 to 1 as LongBench does: times 100, with two decimals.
func Points(v float64) string {
	if math.IsNaN(v) {
		return "n/a"
	}
	return strconv.FormatFloat(100*v, 'f', 2, 64)
}

func interval(scale, lo, hi float64, digits int) string {
	if !(lo <= hi) {
		return ""
	}
	return fmt.Sprintf(" [%s, %s]", fixed(scale*lo, digits), fixed(scale*hi, digits))
}

// fixed writes a number without the sign of a negative zero.
func fixed(v float64, digits int) string {
	s := strconv.FormatFloat(v, 'f', digits, 64)
	if strings.HasPrefix(s, "-") && strings.Trim(s, "-0.") == "" {
		return s[1:]
	}
	return s
}

// Significant writes a number with so many digits, and a larger one as a whole number: 7.85, 2113, 1222345, never 2.11e+03.
func Significant(v float64, digits int) string {
	s := strconv.FormatFloat(v, 'g', digits, 64)
	if strings.Contains(s, "e+") {
		return fixed(v, 0)
	}
	return s
}

func count(v float64) string {
	if math.IsNaN(v) {
		return "n/a"
	}
	return fixed(v, 0)
}

// Bytes writes an amount of memory in units of powers of 1024.
func Bytes(v float64) string {
	if math.IsNaN(v) {
		return "n/a"
	}
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	i := 0
	for v >= 1024 && i < len(units)-1 {
		v, i = v/1024, i+1
	}
	if i == 0 {
		return fmt.Sprintf("%.0f B", v)
	}
	return fmt.Sprintf("%.1f %s", v, units[i])
}

// Seconds writes a time in ms, s or min, by its size.
func Seconds(v float64) string {
	switch {
	case math.IsNaN(v):
		return "n/a"
	case v < 1:
		return Significant(1000*v, 3) + " ms"
	case v < 120:
		return Significant(v, 3) + " s"
	}
	return fmt.Sprintf("%.1f min", v/60)
}

// Tokens writes a number of tokens in short: 512, 1K, 380K, 1M. K is 1024, as in --lengths; multiples of 1000 that are
// not multiples of 1024 have a small k.
func Tokens(n int) string {
	switch {
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%dM", n>>20)
	case n >= 1024 && n%1024 == 0:
		return fmt.Sprintf("%dK", n>>10)
	case n >= 1_000_000 && n%1_000_000 == 0:
		return fmt.Sprintf("%dM", n/1_000_000)
	case n >= 10_000 && n%1000 == 0:
		return fmt.Sprintf("%dk", n/1000)
	}
	return fmt.Sprint(n)
}
