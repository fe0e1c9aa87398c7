package jinja

import (
	"math"
	"math/big"
	"strings"
	"unicode/utf8"
)

// percent is Python's text % values.
func (r *run) percent(like Value, s string, values Value) (Value, error) {
	if err := r.scan(len(s)); err != nil {
		return nil, err
	}
	_, safe := like.(markup)
	var args []Value
	isTuple := false
	if t, ok := values.(*tupleValue); ok {
		args, isTuple = t.items, true
	} else {
		args = []Value{values}
	}
	used := 0
	next := func() (Value, error) {
		if used >= len(args) {
			return nil, fail("TypeError", "not enough arguments for format string")
		}
		used++
		return args[used-1], nil
	}
	t := text{r: r}
	for {
		at := strings.IndexByte(s, '%')
		if at < 0 {
			t.add(s)
			break
		}
		t.add(s[:at])
		if s = s[at+1:]; s == "" {
			return nil, fail("ValueError", "incomplete format")
		}
		if s[0] == '%' {
			t.add("%")
			s = s[1:]
			continue
		}
		var value Value
		if s[0] == '(' {
			depth, end := 0, -1
			for i := range len(s) {
				if s[i] == '(' {
					depth++
				} else if s[i] == ')' {
					if depth--; depth == 0 {
						end = i
						break
					}
				}
			}
			if end < 0 {
				return nil, fail("ValueError", "incomplete format key")
			}
			d, ok := values.(*dictValue)
			if !ok {
				return nil, fail("TypeError", "format requires a mapping")
			}
			key := s[1:end]
			if value, ok = d.text(key); !ok {
				return nil, fail("KeyError", "%s", repr(key))
			}
			s = s[end+1:]
		}
		p, rest, err := percentSpec(s, next)
		if err != nil {
			return nil, err
		}
		if rest == "" {
			return nil, fail("ValueError", "incomplete format")
		}
		c := rest[0]
		if value == nil {
			if value, err = next(); err != nil {
				return nil, err
			}
		}
		out, err := r.percentOne(c, rest, p, value, safe)
		if err != nil {
			return nil, err
		}
		t.add(out)
		s = rest[1:]
	}
	if t.err != nil {
		return nil, t.err
	}
	if used < len(args) && (isTuple || !isMapping(values)) {
		return nil, fail("TypeError", "not all arguments converted during string formatting")
	}
	return likeText(like, t.String()), nil
}

// isMapping reports whether % can take a value's items by name. Then it is no error
// if none is used.
func isMapping(v Value) bool {
	switch v.(type) {
	case *dictValue, *listValue, *rangeValue, *undefined:
		return true
	}
	return false
}

// percentSpec reads flags, width and precision.
func percentSpec(s string, next func() (Value, error)) (p spec, rest string, err error) {
	p = spec{fill: " ", align: '>', sign: '-', precision: -1}
	zero := false
flags:
	for ; s != ""; s = s[1:] {
		switch s[0] {
		case '-':
			p.align = '<'
		case '+':
			p.sign = '+'
		case ' ':
			if p.sign != '+' {
				p.sign = ' '
			}
		case '#':
			p.alternate = true
		case '0':
			zero = true
		default:
			break flags
		}
	}
	number := func() (int64, error) {
		if strings.HasPrefix(s, "*") {
			s = s[1:]
			v, err := next()
			if err != nil {
				return 0, err
			}
			n, ok := wholeOf(v)
			if !ok {
				return 0, fail("TypeError", "* wants int")
			}
			return clamp(n), nil
		}
		var n int64
		n, s, err = leadingNumber(s)
		return n, err
	}
	if p.width, err = number(); err != nil {
		return p, s, err
	}
	if p.width < 0 {
		p.align, p.width = '<', -max(p.width, -math.MaxInt64)
	}
	if strings.HasPrefix(s, ".") {
		s = s[1:]
		if p.precision, err = number(); err != nil {
			return p, s, err
		}
		p.precision = max(p.precision, 0)
	}
	if s != "" && strings.IndexByte("hlL", s[0]) >= 0 {
		s = s[1:]
	}
	if zero && p.align == '>' {
		p.align, p.fill = '=', "0"
	}
	return p, s, nil
}

func (r *run) percentOne(c byte, rest string, p spec, v Value, safe bool) (string, error) {
	switch c {
	case 's', 'r', 'a':
		var s string
		var err error
		switch {
		case c == 's' && safe:
			s, err = r.escape(v)
		case c == 's':
			s, err = r.str(v)
		case c == 'r' && safe:
			if s, err = r.repr(v); err == nil {
				s, err = r.escape(s)
			}
		case c == 'r':
			s, err = r.repr(v)
		default:
			s, err = r.ascii(v)
		}
		if err != nil {
			return "", err
		}
		if p.align == '=' {
			p.align, p.fill = '>', " "
		}
		if p.precision > int64(len(s)) {
			p.precision = -1
		}
		p.sign, p.alternate = '-', false
		return r.formatString(s, p)
	case 'c':
		if p.align == '=' {
			p.align, p.fill = '>', " "
		}
		s, ok := textOf(v)
		if n, whole := wholeOf(v); whole {
			p.sign, p.alternate, p.precision, p.kind = '-', false, -1, 'c'
			return r.formatWhole(n, p)
		} else if !ok || utf8.RuneCountInString(s) != 1 {
			return "", fail("TypeError", "%%c requires int or char")
		}
		p.precision, p.sign, p.alternate = -1, '-', false
		return r.formatString(s, p)
	case 'd', 'i', 'u', 'o', 'x', 'X':
		if c == 'i' || c == 'u' {
			c = 'd'
		}
		return r.percentWhole(c, p, v)
	case 'e', 'E', 'f', 'F', 'g', 'G':
		if u, ok := v.(*undefined); ok {
			return "", u.fail()
		}
		f, err := floatOf(v)
		if err != nil {
			return "", err
		}
		p.kind = c
		if math.IsInf(f, 0) || math.IsNaN(f) {
			if p.align == '=' {
				p.fill = "0"
			}
		}
		return r.formatFloat(f, p)
	}
	x, _ := utf8.DecodeRuneInString(rest)
	return "", fail("ValueError", "unsupported format character '%c' (0x%x)", x, x)
}

func (r *run) percentWhole(c byte, p spec, v Value) (string, error) {
	if u, ok := v.(*undefined); ok {
		return "", u.fail()
	}
	n, ok := wholeOf(v)
	if f, isFloat := v.(float64); isFloat && c == 'd' {
		if math.IsInf(f, 0) || math.IsNaN(f) {
			return "", fail("ValueError", "cannot convert float %s to integer", floatRepr(f))
		}
		n, _ = big.NewFloat(f).Int(nil)
		ok = true
	}
	if !ok {
		want := "a real number"
		if c != 'd' {
			want = "an integer"
		}
		return "", fail("TypeError", "%%%c format: %s is required, not %s", c, want, typeName(v))
	}
	if p.precision >= 0 { // the minimum number of digits
		if err := r.takeTimes(p.precision, 1); err != nil {
			return "", err
		}
		base := map[byte]int{'d': 10, 'o': 8, 'x': 16, 'X': 16}[c]
		digits := new(big.Int).Abs(n).Text(base)
		if c == 'X' {
			digits = strings.ToUpper(digits)
		}
		digits = strings.Repeat("0", max(int(p.precision)-len(digits), 0)) + digits
		front := signOf(n.Sign() < 0, p.sign)
		if p.alternate && c != 'd' {
			front += "0" + string(c)
		}
		return r.pad(front, digits, p)
	}
	p.kind = c
	return r.formatWhole(n, p)
}

// ascii is Python's ascii of a value.
func (r *run) ascii(v Value) (string, error) {
	s, err := r.repr(v)
	if err != nil || isASCII(s) {
		return s, err
	}
	t := text{r: r}
	for _, c := range s {
		if c < utf8.RuneSelf {
			t.add(string(c))
		} else {
			t.add(escapeRune(c))
		}
	}
	return t.String(), t.err
}
