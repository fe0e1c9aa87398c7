package jinja

import (
	"math"
	"math/big"
	"strconv"
)

// toInteger is Python's int() of a value that is not text.
func toInteger(v Value) (Value, error) {
	switch v := v.(type) {
	case *undefined:
		return nil, v.fail()
	case float64:
		if math.IsNaN(v) {
			return nil, fail("ValueError", "cannot convert float NaN to integer")
		}
		if math.IsInf(v, 0) {
			return nil, fail("OverflowError", "cannot convert float infinity to integer")
		}
		n, _ := big.NewFloat(v).Int(nil)
		return integer(n), nil
	}
	if n, ok := wholeOf(v); ok {
		return integer(n), nil
	}
	return nil, fail("TypeError", "int() argument must be a string, a bytes-like object or a real number, not '%s'", typeName(v))
}

// roundWhole is Python's round(v): halves are rounded to even.
func roundWhole(v Value) (Value, error) {
	if f, ok := v.(float64); ok {
		return toInteger(math.RoundToEven(f))
	}
	return toInteger(v)
}

// roundTo is Python's round(v, precision).
func (r *run) roundTo(v Value, precision int64) (Value, error) {
	f, ok := v.(float64)
	if ok {
		if math.IsNaN(f) || math.IsInf(f, 0) || f == 0 || precision > 330 {
			return f, nil
		}
		if precision < -330 {
			return math.Copysign(0, f), nil
		}
		if precision >= 0 {
			s := strconv.FormatFloat(f, 'f', int(precision), 64)
			f, err := strconv.ParseFloat(s, 64)
			if err != nil {
				return nil, fail("OverflowError", "rounded value too large to represent")
			}
			return f, nil
		}
		exact := new(big.Rat).SetFloat64(f)
		unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(-precision), nil)
		n := halfEven(exact.Num(), new(big.Int).Mul(exact.Denom(), unit))
		rounded, _ := new(big.Rat).SetInt(n.Mul(n, unit)).Float64()
		return math.Copysign(rounded, f), nil
	}
	n, _ := wholeOf(v)
	if precision >= 0 {
		return integer(n), nil
	}
	if -precision > maxDigits*5 {
		return int64(0), nil
	}
	unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(-precision), nil)
	q := halfEven(n, unit)
	return boundedInteger(q.Mul(q, unit))
}

// halfEven divides and rounds to the nearest whole number, halves to even.
func halfEven(n, by *big.Int) *big.Int {
	q, m := new(big.Int).DivMod(n, by, new(big.Int))
	c := m.Lsh(m, 1).Cmp(by)
	if c > 0 || c == 0 && q.Bit(0) == 1 {
		q.Add(q, big.NewInt(1))
	}
	return q
}
