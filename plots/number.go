package plots

import (
	"math"
	"strconv"
	"strings"
)

// plain writes a number with up to six digits and no exponent where it can do without: 0.25, 5000, 20,000, 1,500,000.
func plain(v float64) string {
	if a := math.Abs(v); a >= 1e12 || a > 0 && a < 1e-5 {
		return strconv.FormatFloat(v, 'g', 4, 64)
	}
	rounded, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 6, 64), 64) // it has just been written
	s := strconv.FormatFloat(rounded, 'f', -1, 64)
	whole, rest, _ := strings.Cut(s, ".")
	if rest != "" {
		rest = "." + rest
	}
	sign := strings.HasPrefix(whole, "-")
	whole = strings.TrimPrefix(whole, "-")
	if len(whole) > 4 {
		for at := len(whole) - 3; at > 0; at -= 3 {
			whole = whole[:at] + "," + whole[at:]
		}
	}
	if sign {
		whole = "-" + whole
	}
	return whole + rest
}

// byteUnit is the unit in which amounts of bytes up to a largest one are short.
func byteUnit(most float64) (name string, bytes float64) {
	name, bytes = "bytes", 1
	for _, next := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if most < 2*1024*bytes {
			break
		}
		name, bytes = next, 1024*bytes
	}
	return name, bytes
}

// decades are the round values 1, 2 and 5 times a power of ten from lo to hi, with fewer in each decade where there are
// many decades. lo must be above 0.
func decades(lo, hi float64) []float64 {
	steps := []float64{1, 2, 5}
	switch n := math.Log10(hi / lo); {
	case n > 5:
		steps = []float64{1}
	case n > 2.5:
		steps = []float64{1, 3}
	}
	var list []float64
	for decade := math.Pow(10, math.Floor(math.Log10(lo))); decade <= hi; decade *= 10 {
		for _, k := range steps {
			if v := k * decade; v >= lo && v <= hi {
				list = append(list, v)
			}
		}
	}
	return list
}
