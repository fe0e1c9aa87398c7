package jinja

import (
	"math"
	"math/big"
	"strconv"
	"strings"
)

// maxBits bounds whole numbers, which have no limit in Python; maxDigits is the
// number of digits up to which Python prints or reads a whole number.
const (
	maxBits   = 1 << 16
	maxDigits = 4300
)

// integer returns a whole number as a value.
func integer(n *big.Int) Value {
	if n.IsInt64() {
		return n.Int64()
	}
	return n
}

var bigZero = new(big.Int)

func boundedInteger(n *big.Int) (Value, error) {
	if n.BitLen() > maxBits {
		return nil, fail(OverLimit, "a number of more than %d bits", maxBits)
	}
	return integer(n), nil
}

// wholeOf returns the whole number of a value; true is 1 and false is 0.
func wholeOf(v Value) (*big.Int, bool) {
	switch v := v.(type) {
	case bool:
		if v {
			return big.NewInt(1), true
		}
		return new(big.Int), true
	case int64:
		return big.NewInt(v), true
	case *big.Int:
		return v, true
	}
	return nil, false
}

func isNumber(v Value) bool {
	switch v.(type) {
	case bool, int64, *big.Int, float64:
		return true
	}
	return false
}

// floatOf returns a number as a float.
func floatOf(v Value) (float64, error) {
	if f, ok := v.(float64); ok {
		return f, nil
	}
	n, ok := wholeOf(v)
	if !ok {
		return 0, fail("TypeError", "must be real number, not %s", typeName(v))
	}
	f, _ := new(big.Float).SetInt(n).Float64()
	if math.IsInf(f, 0) {
		return 0, fail("OverflowError", "int too large to convert to float")
	}
	return f, nil
}

// clamp limits a whole number to int64, as Python's slices do.
func clamp(n *big.Int) int64 {
	if n.IsInt64() {
		return n.Int64()
	}
	if n.Sign() < 0 {
		return math.MinInt64
	}
	return math.MaxInt64
}

// floatRepr is Python's repr of a float.
func floatRepr(f float64) string {
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	}
	s := strconv.FormatFloat(f, 'e', -1, 64)
	mantissa, exponent, _ := strings.Cut(s, "e")
	if e, _ := strconv.Atoi(exponent); e < -4 || e >= 16 {
		return mantissa + "e" + exponent
	}
	if s = strconv.FormatFloat(f, 'f', -1, 64); !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// arithmetic applies an operator to two numbers.
func (r *run) arithmetic(op string, left, right Value) (Value, error) {
	a, aWhole := wholeOf(left)
	b, bWhole := wholeOf(right)
	if aWhole && bWhole {
		return r.wholeArithmetic(op, a, b)
	}
	x, err := floatOf(left)
	if err != nil {
		return nil, err
	}
	y, err := floatOf(right)
	if err != nil {
		return nil, err
	}
	switch op {
	case "+":
		return x + y, nil
	case "-":
		return x - y, nil
	case "*":
		return float64(x * y), nil
	case "/":
		if y == 0 {
			return nil, fail("ZeroDivisionError", "float division by zero")
		}
		return x / y, nil
	case "//":
		if y == 0 {
			return nil, fail("ZeroDivisionError", "float floor division by zero")
		}
		q, _ := floorDivide(x, y)
		return q, nil
	case "%":
		if y == 0 {
			return nil, fail("ZeroDivisionError", "float modulo")
		}
		_, m := floorDivide(x, y)
		return m, nil
	}
	return power(x, y)
}

// floorDivide divides as Python does: the remainder has the divisor's sign.
func floorDivide(x, y float64) (quotient, remainder float64) {
	m := math.Mod(x, y)
	d := (x - m) / y
	if m != 0 {
		if y < 0 != (m < 0) {
			m += y
			d--
		}
	} else {
		m = math.Copysign(0, y)
	}
	if d == 0 {
		return math.Copysign(0, x/y), m
	}
	q := math.Floor(d)
	if d-q > 0.5 {
		q++
	}
	return q, m
}

func power(x, y float64) (Value, error) {
	if x == 0 && y < 0 {
		return nil, fail("ZeroDivisionError", "0.0 cannot be raised to a negative power")
	}
	if x < 0 && !math.IsInf(x, 0) && !math.IsInf(y, 0) && y != math.Floor(y) {
		return nil, fail(Unsupported, "complex numbers")
	}
	f := math.Pow(x, y)
	if math.IsInf(f, 0) && !math.IsInf(x, 0) && !math.IsInf(y, 0) {
		return nil, fail("OverflowError", "(34, 'Numerical result out of range')")
	}
	return f, nil
}

func (r *run) wholeArithmetic(op string, a, b *big.Int) (Value, error) {
	if err := r.step((a.BitLen() + b.BitLen()) >> 6); err != nil {
		return nil, err
	}
	n := new(big.Int)
	switch op {
	case "+":
		n.Add(a, b)
	case "-":
		n.Sub(a, b)
	case "*":
		n.Mul(a, b)
	case "/":
		if b.Sign() == 0 {
			return nil, fail("ZeroDivisionError", "division by zero")
		}
		f, _ := new(big.Rat).SetFrac(a, b).Float64()
		if math.IsInf(f, 0) {
			return nil, fail("OverflowError", "integer division result too large for a float")
		}
		return f, nil
	case "//", "%":
		if b.Sign() == 0 {
			if op == "%" {
				return nil, fail("ZeroDivisionError", "integer modulo by zero")
			}
			return nil, fail("ZeroDivisionError", "integer division or modulo by zero")
		}
		m := new(big.Int)
		n.QuoRem(a, b, m)
		if m.Sign() != 0 && m.Sign() != b.Sign() {
			n.Sub(n, big.NewInt(1))
			m.Add(m, b)
		}
		if op == "%" {
			n = m
		}
	case "**":
		return r.wholePower(a, b)
	}
	if err := r.take(n.BitLen() >> 3); err != nil {
		return nil, err
	}
	return boundedInteger(n)
}

func (r *run) wholePower(a, b *big.Int) (Value, error) {
	if b.Sign() < 0 {
		x, err := floatOf(integer(a))
		if err != nil {
			return nil, err
		}
		y, err := floatOf(integer(b))
		if err != nil {
			return nil, err
		}
		if x == 0 {
			return nil, fail("ZeroDivisionError", "0.0 cannot be raised to a negative power")
		}
		return power(x, y)
	}
	if a.BitLen() > 1 && (!b.IsInt64() || b.Int64() > maxBits || int64(a.BitLen()-1)*b.Int64() > maxBits) {
		return nil, fail(OverLimit, "a number of more than %d bits", maxBits)
	}
	if a.BitLen() <= 1 && b.Sign() > 0 { // for -1, 0 and 1 it only matters whether the exponent is even
		b = big.NewInt(2 - int64(b.Bit(0)))
	}
	return boundedInteger(new(big.Int).Exp(a, b, nil))
}

// readInteger reads a whole number by Python's rules, which allow white space around
// it, a sign, underscores between digits, and the prefix of the base.
func readInteger(s string, base int) (Value, error) {
	invalid := fail("ValueError", "invalid literal for int() with base %d: %s", base, repr(s))
	t := strings.TrimFunc(s, isSpace)
	t = asciiDigits(t)
	sign := ""
	if t != "" && (t[0] == '-' || t[0] == '+') {
		sign, t = t[:1], t[1:]
	}
	if base != 0 && (base < 2 || base > 36) {
		return nil, fail("ValueError", "int() base must be >= 2 and <= 36, or 0")
	}
	if t == "" {
		return nil, invalid
	}
	if len(t) > 2 && t[0] == '0' {
		if b := map[byte]int{'x': 16, 'o': 8, 'b': 2}[t[1]|0x20]; b != 0 && (base == b || base == 0) {
			t, base = strings.TrimPrefix(t[2:], "_"), b
		}
	}
	if base == 0 {
		base = 10
		if strings.Trim(t, "0_") != "" && t[0] == '0' {
			return nil, invalid
		}
	}
	if t == "" || t[0] == '_' || t[len(t)-1] == '_' || strings.Contains(t, "__") || t[0] == '-' || t[0] == '+' {
		return nil, invalid
	}
	if len(t) > maxDigits {
		return nil, fail("ValueError", "Exceeds the limit (%d digits) for integer string conversion", maxDigits)
	}
	n, ok := new(big.Int).SetString(sign+strings.ReplaceAll(t, "_", ""), base)
	if !ok {
		return nil, invalid
	}
	return integer(n), nil
}

// readFloat reads a float by Python's rules.
func readFloat(s string) (float64, error) {
	invalid := fail("ValueError", "could not convert string to float: %s", repr(s))
	t := asciiDigits(strings.TrimFunc(s, isSpace))
	if t == "" || strings.ContainsAny(t, "xXpP") || strings.HasPrefix(t, "_") || strings.HasSuffix(t, "_") {
		return 0, invalid
	}
	for i := range len(t) {
		if t[i] == '_' && !(isDigit(t[i-1]) && isDigit(t[i+1])) {
			return 0, invalid
		}
	}
	f, err := strconv.ParseFloat(strings.ReplaceAll(t, "_", ""), 64)
	if err != nil && !math.IsInf(f, 0) {
		return 0, invalid
	}
	return f, nil
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
