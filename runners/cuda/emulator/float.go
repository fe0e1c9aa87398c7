package emulator

import (
	"math"
	"math/big"
	"math/bits"
)

// rounding is a mode of cvt.
type rounding uint8

const (
	nearest rounding = iota // ties to even
	toZero
	down
	up
)

// format is a binary floating-point format of up to 32 bits.
type format struct{ exponent, fraction int }

var (
	halfFormat   = format{5, 10}
	bfloatFormat = format{8, 7}
	singleFormat = format{8, 23}
)

// encode rounds x once to a format. Numbers out of range become infinities, or the
// largest where the mode rounds towards zero; NaNs become 0x7fff… as cvt has it.
func (f format) encode(x float64, mode rounding) uint32 {
	sign := uint32(math.Float64bits(x)>>63) << (f.exponent + f.fraction)
	infinity := uint32(1<<f.exponent-1) << f.fraction
	switch {
	case x != x:
		return 1<<(f.exponent+f.fraction) - 1
	case math.IsInf(x, 0):
		return sign | infinity
	case x == 0:
		return sign
	}
	bias := 1<<(f.exponent-1) - 1
	fraction, e := math.Frexp(math.Abs(x)) // fraction in [0.5, 1)
	e--
	m := uint64(math.Ldexp(fraction, 53)) // 53 bits
	if e > bias {
		e, m = bias, 1<<53-1 // is rounded to a number out of range, too
	}
	drop := 52 - f.fraction
	if e < 1-bias { // a subnormal
		drop += 1 - bias - e
		e = 1 - bias
	}
	var kept, rest, half uint64
	if drop > 63 {
		rest, half = 1, 2
	} else {
		kept, rest, half = m>>drop, m&(1<<drop-1), 1<<(drop-1)
	}
	switch mode {
	case nearest:
		if rest > half || rest == half && kept&1 == 1 {
			kept++
		}
	case down:
		if rest != 0 && sign != 0 {
			kept++
		}
	case up:
		if rest != 0 && sign == 0 {
			kept++
		}
	}
	// The leading one adds to the exponent, and so does a carry.
	v := uint32(e+bias-1)<<f.fraction + uint32(kept)
	if v >= infinity {
		if mode == toZero || mode == down && sign == 0 || mode == up && sign != 0 {
			v = infinity - 1
		} else {
			v = infinity
		}
	}
	return sign | v
}

// halves are the floats of all f16.
var halves = func() *[1 << 16]float32 {
	var table [1 << 16]float32
	for h := range table {
		e, m := h>>10&31, float64(h&1023)
		var v float64
		switch e {
		case 0:
			v = math.Ldexp(m, -24)
		case 31:
			v = math.Inf(1)
			if m != 0 {
				v = math.NaN()
			}
		default:
			v = math.Ldexp(1024+m, e-25)
		}
		if h>>15 != 0 {
			v = -v
		}
		table[h] = float32(v)
	}
	return &table
}()

func bfloat(h uint32) float32 { return math.Float32frombits(h << 16) }

// toBfloat rounds to nearest even; any NaN becomes 0x7fff.
func toBfloat(x float32) uint32 {
	b := math.Float32bits(x)
	if x != x {
		return 0x7fff
	}
	return (b + 0x7fff + b>>16&1) >> 16
}

// fma rounds a·b + c once: the product is exact in 53 bits, and so is the sum's
// error, which decides where the sum lies in the middle of two floats.
func fma(a, b, c float32) float32 {
	p, d := float64(a)*float64(b), float64(c)
	s := p + d
	v := math.Float64bits(s)
	exponent := v >> 52 & 2047
	if v&(1<<29-1) != 1<<28 && exponent > 1023-126 || exponent == 2047 {
		return float32(s)
	}
	t := s - p
	if e := (p - (s - t)) + (d - t); e != 0 && v&1 == 0 {
		// Round to odd: of the two neighbours of the exact sum the one with an odd last
		// bit, which is never the middle of two floats.
		if (e > 0) == (s > 0) {
			v++
		} else {
			v--
		}
	}
	return float32(math.Float64frombits(v))
}

// result is the bits of a float; every NaN has the same bits, as on the card.
func result(x float32) uint32 {
	if x != x {
		return 0x7fffffff
	}
	return math.Float32bits(x)
}

// flush turns subnormal numbers into zeros (.ftz).
func flush(x float32) float32 {
	if b := math.Float32bits(x); b&0x7f800000 == 0 {
		return math.Float32frombits(b & 0x80000000)
	}
	return x
}

// largest and smallest are max and min of PTX: where one operand is NaN they return the
// other, and +0 is greater than -0.
func largest[F float32 | float64](x, y F) F {
	switch {
	case x != x:
		return y
	case y != y:
		return x
	}
	return max(x, y)
}

func smallest[F float32 | float64](x, y F) F {
	switch {
	case x != x:
		return y
	case y != y:
		return x
	}
	return min(x, y)
}

// wholeToFloat is a 64-bit whole number as a double that rounds to any format of up
// to 32 bits as the number itself does: its last bit says that bits were lost.
func wholeToFloat(v uint64, signed bool) float64 {
	negative := signed && int64(v) < 0
	if negative {
		v = -v
	}
	if n := bits.Len64(v); n > 53 {
		drop := n - 53
		if v&(1<<drop-1) != 0 {
			v = v&^(1<<drop-1) | 1<<drop
		} else {
			v &^= 1<<drop - 1
		}
	}
	if negative {
		return -float64(v)
	}
	return float64(v)
}

// wholeToDouble rounds a whole number once to a double.
func wholeToDouble(v uint64, signed bool, mode rounding) float64 {
	if mode == nearest {
		if signed {
			return float64(int64(v))
		}
		return float64(v)
	}
	x := new(big.Int).SetUint64(v)
	if signed {
		x.SetInt64(int64(v))
	}
	m := map[rounding]big.RoundingMode{toZero: big.ToZero, down: big.ToNegativeInf, up: big.ToPositiveInf}[mode]
	f, _ := new(big.Float).SetMode(m).SetPrec(53).SetInt(x).Float64()
	return f
}

// whole rounds to a whole number.
func (r rounding) whole(x float64) float64 {
	switch r {
	case nearest:
		return math.RoundToEven(x)
	case toZero:
		return math.Trunc(x)
	case down:
		return math.Floor(x)
	}
	return math.Ceil(x)
}

// toWhole rounds to a whole number of so many bits. Numbers out of range become the nearest
// in range, and NaN becomes 0.
func toWhole(x float64, mode rounding, bits int, signed bool) uint64 {
	x = mode.whole(x)
	if x != x {
		return 0
	}
	low, high := 0.0, math.Ldexp(1, bits)
	if signed {
		low, high = -math.Ldexp(1, bits-1), math.Ldexp(1, bits-1)
	}
	mask := ^uint64(0) >> (64 - bits)
	switch {
	case x < low:
		return uint64(int64(low)) & mask
	case x >= high && signed:
		return mask >> 1
	case x >= high:
		return mask
	case x < 0:
		return uint64(int64(x)) & mask
	}
	return uint64(x) & mask
}
