package jinja

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

// spec says how to format a value: Python's
// [[fill]align][sign][z][#][0][width][grouping][.precision][type]. The flags of %
// are translated into it, too.
type spec struct {
	fill      string
	align     byte // < > ^ =, 0 for the default of the type
	sign      byte // + - or space
	alternate bool
	width     int64
	grouping  byte  // , or _
	precision int64 // -1: none
	kind      byte
}

func parseSpec(s string) (spec, error) {
	p := spec{fill: " ", sign: '-', precision: -1}
	whole := s
	r, n := utf8.DecodeRuneInString(s)
	if n > 0 && len(s) > n && strings.IndexByte("<>=^", s[n]) >= 0 {
		p.fill, p.align, s = string(r), s[n], s[n+1:]
	} else if s != "" && strings.IndexByte("<>=^", s[0]) >= 0 {
		p.align, s = s[0], s[1:]
	}
	if s != "" && strings.IndexByte("+- ", s[0]) >= 0 {
		p.sign, s = s[0], s[1:]
	}
	if strings.HasPrefix(s, "z") {
		return p, fail(Unsupported, "format specifier %s with z", repr(whole))
	}
	if strings.HasPrefix(s, "#") {
		p.alternate, s = true, s[1:]
	}
	if strings.HasPrefix(s, "0") && p.align == 0 {
		p.fill, p.align, s = "0", '=', s[1:]
	}
	var err error
	if p.width, s, err = leadingNumber(s); err != nil {
		return p, err
	}
	if s != "" && (s[0] == ',' || s[0] == '_') {
		p.grouping, s = s[0], s[1:]
	}
	if strings.HasPrefix(s, ".") {
		if len(s) == 1 || !isDigit(s[1]) {
			return p, fail("ValueError", "Format specifier missing precision")
		}
		if p.precision, s, err = leadingNumber(s[1:]); err != nil {
			return p, err
		}
	}
	if len(s) > 1 {
		return p, fail("ValueError", "Invalid format specifier %s", repr(whole))
	}
	if s != "" {
		p.kind = s[0]
	}
	return p, nil
}

func leadingNumber(s string) (int64, string, error) {
	n := 0
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	if n == 0 {
		return 0, s, nil
	}
	v, err := strconv.ParseInt(s[:n], 10, 64)
	if err != nil {
		return 0, s, fail("ValueError", "Too many decimal digits in format string")
	}
	return v, s[n:], nil
}

// format is Python's format(value, spec).
func (r *run) format(v Value, s string) (string, error) {
	if s == "" {
		return r.str(v)
	}
	if t, ok := textOf(v); ok {
		p, err := parseSpec(s)
		if err != nil {
			return "", err
		}
		return r.formatString(t, p)
	}
	if !isNumber(v) {
		return "", fail("TypeError", "unsupported format string passed to %s.__format__", typeName(v))
	}
	p, err := parseSpec(s)
	if err != nil {
		return "", err
	}
	return r.formatNumber(v, p)
}

func (r *run) formatString(s string, p spec) (string, error) {
	switch {
	case p.kind != 0 && p.kind != 's':
		return "", unknownFormat(p.kind, "str")
	case p.sign != '-':
		return "", fail("ValueError", "Sign not allowed in string format specifier")
	case p.alternate:
		return "", fail("ValueError", "Alternate form (#) not allowed in string format specifier")
	case p.align == '=' && p.fill != "0":
		return "", fail("ValueError", "'=' alignment not allowed in string format specifier")
	case p.grouping != 0:
		return "", fail("ValueError", "Cannot specify '%c' with 's'.", p.grouping)
	}
	if p.align == 0 || p.align == '=' {
		p.align = '<'
	}
	if p.precision >= 0 {
		v, err := r.slice(s, [3]Value{none{}, p.precision, none{}})
		if err != nil {
			return "", err
		}
		s = v.(string)
	}
	return r.pad("", s, p)
}

func unknownFormat(kind byte, of string) error {
	return fail("ValueError", "Unknown format code '%c' for object of type '%s'", kind, of)
}

// pad fills a text up to the width. With the alignment = the fill goes between front
// (the sign and prefix) and s.
func (r *run) pad(front, s string, p spec) (string, error) {
	switch p.align {
	case '<':
		return r.filled(front+s, p.fill, p.width, func(int64, int64) int64 { return 0 })
	case '^':
		return r.filled(front+s, p.fill, p.width, func(n, _ int64) int64 { return n / 2 })
	case '=':
		s, err := r.filled(s, p.fill, p.width-int64(len(front)), func(n, _ int64) int64 { return n })
		return front + s, err
	}
	return r.filled(front+s, p.fill, p.width, func(n, _ int64) int64 { return n })
}

func (r *run) formatNumber(v Value, p spec) (string, error) {
	if _, ok := v.(bool); ok && p.kind == 0 {
		// Only an empty specification prints True and False.
		p.kind = 'd'
	}
	n, whole := wholeOf(v)
	if whole && (p.kind == 0 || strings.IndexByte("bcdoxXn", p.kind) >= 0) {
		return r.formatWhole(n, p)
	}
	if p.kind != 0 && strings.IndexByte("eEfFgGn%", p.kind) < 0 {
		return "", unknownFormat(p.kind, typeName(v))
	}
	f, err := floatOf(v)
	if err != nil {
		return "", err
	}
	return r.formatFloat(f, p)
}

func signOf(negative bool, sign byte) string {
	switch {
	case negative:
		return "-"
	case sign == '+' || sign == ' ':
		return string(sign)
	}
	return ""
}

func (r *run) formatWhole(n *big.Int, p spec) (string, error) {
	if p.precision >= 0 {
		return "", fail("ValueError", "Precision not allowed in integer format specifier")
	}
	if err := r.step(n.BitLen() >> 3); err != nil {
		return "", err
	}
	if p.kind == 'c' {
		if p.sign != '-' || p.alternate || !n.IsInt64() || n.Int64() < 0 || n.Int64() > utf8.MaxRune || !utf8.ValidRune(rune(n.Int64())) {
			return "", fail("OverflowError", "%%c arg not in range(0x110000)")
		}
		if p.align == 0 {
			p.align = '<'
		}
		return r.pad("", string(rune(n.Int64())), p)
	}
	base, prefix := 10, ""
	switch p.kind {
	case 'b':
		base, prefix = 2, "0b"
	case 'o':
		base, prefix = 8, "0o"
	case 'x', 'X':
		base, prefix = 16, "0"+string(p.kind)
	}
	s := new(big.Int).Abs(n).Text(base)
	if base == 10 && len(s) > maxDigits {
		return "", fail("ValueError", "Exceeds the limit (%d digits) for integer string conversion", maxDigits)
	}
	if p.kind == 'X' {
		s = strings.ToUpper(s)
	}
	front := signOf(n.Sign() < 0, p.sign)
	if p.alternate {
		if base != 10 {
			front += prefix
		}
	}
	size := 3
	if base != 10 {
		size = 4
		if p.grouping == ',' {
			return "", fail("ValueError", "Cannot specify ',' with '%c'.", p.kind)
		}
	}
	return r.grouped(front, s, "", size, p)
}

// grouped puts separators between digits, also between zeros that fill the width.
func (r *run) grouped(front, digits, rest string, size int, p spec) (string, error) {
	if p.grouping == 0 {
		return r.pad(front, digits+rest, p)
	}
	if p.fill == "0" && p.align == '=' {
		want := p.width - int64(len(front)+len(rest))
		if err := r.takeTimes(max(want, 0), 1); err != nil {
			return "", err
		}
		with := func(n int) int64 { return int64(n + (n-1)/size) } // the width of n digits with separators
		n := max(int(want)-int(want)/(size+1)-1, len(digits))
		for with(n) < want {
			n++
		}
		digits = strings.Repeat("0", n-len(digits)) + digits
	}
	var b strings.Builder
	for i := range len(digits) {
		if i > 0 && (len(digits)-i)%size == 0 {
			b.WriteByte(p.grouping)
		}
		b.WriteByte(digits[i])
	}
	return r.pad(front, b.String()+rest, p)
}

func (r *run) formatFloat(f float64, p spec) (string, error) {
	if p.precision > math.MaxInt32 {
		return "", fail("ValueError", "precision too big")
	}
	if err := r.takeTimes(max(p.precision, 0), 2); err != nil {
		return "", err
	}
	front := signOf(math.Signbit(f) && !math.IsNaN(f), p.sign)
	if !math.IsNaN(f) {
		f = math.Abs(f)
	}
	kind := p.kind
	percent := ""
	if kind == '%' {
		f, kind, percent = f*100, 'f', "%"
	}
	var s string
	precision := int(p.precision)
	switch {
	case math.IsInf(f, 0):
		s = "inf"
	case math.IsNaN(f):
		s = "nan"
	case kind == 0 && precision < 0:
		s = floatRepr(f)
	case kind == 0:
		s = general(f, max(precision, 1), p.alternate, true)
	case kind == 'g' || kind == 'G' || kind == 'n':
		if precision < 0 {
			precision = 6
		}
		s = general(f, max(precision, 1), p.alternate, false)
	default:
		if precision < 0 {
			precision = 6
		}
		lowered := kind | 0x20
		s = strconv.FormatFloat(f, lowered, precision, 64)
		if p.alternate && precision == 0 {
			mantissa, exponent, isE := strings.Cut(s, "e")
			if s = mantissa + "."; isE {
				s += "e" + exponent
			}
		}
	}
	if kind >= 'A' && kind <= 'Z' {
		s = strings.ToUpper(s)
	}
	n := 0
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	if n == 0 { // inf and nan
		return r.pad(front, s+percent, p)
	}
	return r.grouped(front, s[:n], s[n:]+percent, 3, p)
}

// general is Python's g: precision digits, an exponent if the number is very large
// or small, and no trailing zeros except in the alternate form. The format without
// a letter has at least one digit after the point, and uses an exponent one digit
// earlier.
func general(f float64, precision int, alternate, letterless bool) string {
	s := strconv.FormatFloat(f, 'e', precision-1, 64)
	mantissa, exponent, _ := strings.Cut(s, "e")
	e, _ := strconv.Atoi(exponent)
	limit := precision
	if letterless {
		limit--
	}
	if e < -4 || e >= limit {
		if !alternate && strings.Contains(mantissa, ".") {
			mantissa = strings.TrimRight(strings.TrimRight(mantissa, "0"), ".")
		} else if alternate && !strings.Contains(mantissa, ".") {
			mantissa += "."
		}
		return mantissa + "e" + exponent
	}
	s = strconv.FormatFloat(f, 'f', max(precision-1-e, 0), 64)
	switch {
	case alternate && !strings.Contains(s, "."):
		s += "."
	case !alternate && strings.Contains(s, "."):
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	if letterless && !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}
