package jinja

import (
	"math"
	"math/big"
	"strconv"
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

// isMapping says whether % takes a value's items by name and so does not mind
// that none is used.
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
	if p.precision >= 0 { // so many digits at least
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

func formatMethod(r *run, x Value, args []Value, names []named) (Value, error) {
	d := newDict()
	for _, k := range names {
		d.setText(k.name, k.value)
	}
	return r.formatText(x, args, d)
}

// formatText is Python's text.format(…).
func (r *run) formatText(x Value, args []Value, names Value) (Value, error) {
	s, _ := textOf(x)
	_, safe := x.(markup)
	f := &formatter{r: r, args: args, names: names, safe: safe}
	out, err := f.run(s, 2)
	return likeText(x, out), err
}

type formatter struct {
	r         *run
	args      []Value
	names     Value
	safe      bool
	automatic int  // the next field without a number
	numbered  bool // a field has a number
}

func (f *formatter) run(s string, depth int) (string, error) {
	if depth < 0 {
		return "", fail("ValueError", "Max string recursion exceeded")
	}
	t := text{r: f.r}
	for s != "" && t.err == nil {
		at := strings.IndexAny(s, "{}")
		if at < 0 {
			t.add(s)
			break
		}
		t.add(s[:at])
		c := s[at]
		s = s[at+1:]
		if s != "" && s[0] == c {
			t.add(string(c))
			s = s[1:]
			continue
		}
		if c == '}' {
			return "", fail("ValueError", "Single '}' encountered in format string")
		}
		if s == "" {
			return "", fail("ValueError", "Single '{' encountered in format string")
		}
		end := fieldEnd(s)
		if end < 0 {
			return "", fail("ValueError", "expected '}' before end of string")
		}
		out, err := f.field(s[:end], depth)
		if err != nil {
			return "", err
		}
		t.add(out)
		s = s[end+1:]
	}
	return t.String(), t.err
}

// fieldEnd returns where the brace that closes a field is, -1 if there is none.
func fieldEnd(s string) int {
	open := 1
	brackets := false
	for i := range len(s) {
		switch {
		case brackets:
			brackets = s[i] != ']'
		case s[i] == '[' && open == 1 && !strings.ContainsAny(s[:i], ":!"):
			brackets = true
		case s[i] == '{':
			open++
		case s[i] == '}':
			if open--; open == 0 {
				return i
			}
		}
	}
	return -1
}

func (f *formatter) field(s string, depth int) (string, error) {
	name, format, conversion := s, "", byte(0)
	brackets := false
	for i := range len(s) {
		if brackets {
			brackets = s[i] != ']'
			continue
		}
		if s[i] == '[' {
			brackets = true
		}
		if s[i] == ':' {
			name, format = s[:i], s[i+1:]
			break
		}
		if s[i] == '!' {
			name = s[:i]
			rest := s[i+1:]
			if rest == "" {
				return "", fail("ValueError", "end of string while looking for conversion specifier")
			}
			if len(rest) > 1 && rest[1] != ':' {
				return "", fail("ValueError", "expected ':' after conversion specifier")
			}
			if conversion = rest[0]; len(rest) > 2 {
				format = rest[2:]
			}
			break
		}
	}
	v, err := f.value(name)
	if err != nil {
		return "", err
	}
	switch conversion {
	case 0:
	case 's':
		v, err = f.r.str(v)
	case 'r':
		v, err = f.r.repr(v)
	case 'a':
		v, err = f.r.ascii(v)
	default:
		return "", fail("ValueError", "Unknown conversion specifier '%c'", conversion)
	}
	if err != nil {
		return "", err
	}
	if format, err = f.run(format, depth-1); err != nil {
		return "", err
	}
	if _, ok := v.(markup); ok && f.safe {
		if format != "" {
			return "", fail("ValueError", "Unsupported format specification for Markup.")
		}
		return string(v.(markup)), nil
	}
	out, err := f.r.format(v, format)
	if err == nil && f.safe {
		out, err = f.r.escape(out)
	}
	return out, err
}

// value finds what a field names: an argument, and what hangs on it.
func (f *formatter) value(s string) (Value, error) {
	n := strings.IndexAny(s, ".[")
	if n < 0 {
		n = len(s)
	}
	first, rest := s[:n], s[n:]
	if rest == "" {
		var err error
		if first, err = f.number(first); err != nil {
			return nil, err
		}
	}
	v, err := f.first(first)
	for err == nil && rest != "" {
		if rest[0] == '.' {
			n := strings.IndexAny(rest[1:], ".[")
			if n < 0 {
				n = len(rest) - 1
			}
			if n == 0 {
				return nil, fail("ValueError", "Empty attribute in format string")
			}
			v, err = f.r.attribute(v, rest[1:n+1])
			rest = rest[n+1:]
			continue
		}
		if rest[0] != '[' {
			return nil, fail("ValueError", "Only '.' or '[' may follow ']' in format field specifier")
		}
		end := strings.IndexByte(rest, ']')
		if end < 0 {
			return nil, fail("ValueError", "Missing ']' in format string")
		}
		if end == 1 {
			return nil, fail("ValueError", "Empty attribute in format string")
		}
		var at Value = rest[1:end]
		if all(rest[1:end], func(r rune) bool { return r >= '0' && r <= '9' }) {
			if at, err = readInteger(rest[1:end], 10); err != nil {
				return nil, err
			}
		}
		v, err = f.r.item(v, at)
		rest = rest[end+1:]
	}
	return v, err
}

// number gives a field without a name its number. A name that goes on behind a
// point or bracket does not count as one.
func (f *formatter) number(s string) (string, error) {
	switch {
	case s == "":
		if f.numbered {
			return "", fail("ValueError", "cannot switch from manual field specification to automatic field numbering")
		}
		f.automatic++
		return strconv.Itoa(f.automatic - 1), nil
	case isDigits(s):
		if f.automatic > 0 {
			return "", fail("ValueError", "cannot switch from manual field to automatic field numbering")
		}
		f.numbered = true
	}
	return s, nil
}

func (f *formatter) first(s string) (Value, error) {
	if !all(s, func(r rune) bool { return r >= '0' && r <= '9' }) {
		d, ok := f.names.(*dictValue)
		if !ok {
			return nil, fail("TypeError", "'%s' object is not subscriptable", typeName(f.names))
		}
		v, ok := d.text(s)
		if !ok {
			return nil, fail("KeyError", "%s", repr(s))
		}
		return v, nil
	}
	index, err := strconv.Atoi(s)
	if err != nil || index >= len(f.args) {
		return nil, fail("IndexError", "Replacement index %s out of range for positional args tuple", s)
	}
	return f.args[index], nil
}
