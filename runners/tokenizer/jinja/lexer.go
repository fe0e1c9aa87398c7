package jinja

import (
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

type tokenKind int

const (
	tokenEOF tokenKind = iota
	tokenData
	tokenVariableBegin
	tokenVariableEnd
	tokenBlockBegin
	tokenBlockEnd
	tokenName
	tokenString
	tokenInteger
	tokenFloat
	tokenOperator
)

// token is a piece of a template. text is the data, the name, the string with its
// escapes replaced, or the operator; value is the value of a number.
type token struct {
	kind  tokenKind
	text  string
	value Value
	line  int
}

func (t token) describe() string {
	switch t.kind {
	case tokenEOF:
		return "end of template"
	case tokenData:
		return "template data"
	case tokenVariableBegin:
		return "begin of print statement"
	case tokenVariableEnd:
		return "end of print statement"
	case tokenBlockBegin:
		return "begin of statement block"
	case tokenBlockEnd:
		return "end of statement block"
	case tokenString:
		return "string"
	case tokenInteger:
		return "integer"
	case tokenFloat:
		return "float"
	}
	return t.text
}

const syntax = "TemplateSyntaxError"

func errorAt(line int, kind, format string, args ...any) error {
	err := fail(kind, format, args...).(*Error)
	err.Line = line
	return err
}

func syntaxError(line int, format string, args ...any) error {
	return errorAt(line, syntax, format, args...)
}

// isSpace is Python's white space: Unicode's with four more separators.
func isSpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }

func trimRightSpace(s string) string { return strings.TrimRightFunc(s, isSpace) }

// spaceEnd returns the end of the white space that begins at i.
func spaceEnd(s string, i int) int {
	return len(s) - len(strings.TrimLeftFunc(s[i:], isSpace))
}

var (
	floatPattern = regexp.MustCompile(`^(?i:(?:[0-9]+_)*[0-9]+(?:(?:\.(?:[0-9]+_)*[0-9]+)?e[+\-]?(?:[0-9]+_)*[0-9]+|\.(?:[0-9]+_)*[0-9]+))`)
	intPattern   = regexp.MustCompile(`^(?i:0b(?:_?[01])+|0o(?:_?[0-7])+|0x(?:_?[0-9a-f])+|[1-9](?:_?[0-9])*|0(?:_?0)*)`)
	rawPattern   = regexp.MustCompile(`^\{%([-+]?)[\s\v]*raw[\s\v]*(-?)%\}`)
	endRaw       = regexp.MustCompile(`\{%([-+]?)[\s\v]*endraw[\s\v]*([-+]?)%\}`)
)

// operators has an operator before any other that is a prefix of it.
var operators = []string{
	"//", "**", "==", "!=", ">=", "<=",
	"+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=", ".", ":", "|", ",", ";",
}

type lexer struct {
	source    string
	at        int
	counted   int // lines are counted up to here
	line      int
	tokens    []token
	lineStart bool   // the last text or tag ended a line
	open      []byte // the closing brackets that are expected
}

// tokenize cuts a template into tokens, with trim_blocks and lstrip_blocks.
func tokenize(source string) ([]token, error) {
	source = strings.ReplaceAll(source, "\r\n", "\n")
	source = strings.ReplaceAll(source, "\r", "\n")
	source = strings.TrimSuffix(source, "\n")
	l := &lexer{source: source, line: 1, lineStart: true}
	for l.at < len(source) {
		if err := l.root(); err != nil {
			return nil, err
		}
	}
	l.add(token{kind: tokenEOF})
	return l.tokens, nil
}

// lineAt returns the line of offset i, which must not be less than in earlier calls.
func (l *lexer) lineAt(i int) int {
	l.line += strings.Count(l.source[l.counted:i], "\n")
	l.counted = i
	return l.line
}

func (l *lexer) add(t token) {
	t.line = l.lineAt(l.at)
	l.tokens = append(l.tokens, t)
}

// root reads text up to the next tag, and then the tag.
func (l *lexer) root() error {
	rest := l.source[l.at:]
	n := -1
	for i := 0; i+1 < len(rest); i++ {
		if rest[i] == '{' && (rest[i+1] == '%' || rest[i+1] == '{' || rest[i+1] == '#') {
			n = i
			break
		}
	}
	if n < 0 {
		l.add(token{kind: tokenData, text: rest})
		l.at = len(l.source)
		return nil
	}
	kind := rest[n+1]
	raw := rawPattern.FindStringSubmatch(rest[n:])
	sign, length := "", 2
	if raw != nil {
		sign, length = raw[1], len(raw[0])
	} else if n+2 < len(rest) && (rest[n+2] == '-' || rest[n+2] == '+') {
		sign, length = rest[n+2:n+3], 3
	}
	if text := l.before(rest[:n], sign, kind == '{'); text != "" {
		l.add(token{kind: tokenData, text: text})
	}
	l.at += n
	begin := l.at
	l.lineStart = false
	switch {
	case raw != nil:
		l.at += length
		if raw[2] == "-" {
			l.at = spaceEnd(l.source, l.at)
		}
		l.ended()
		return l.raw()
	case kind == '#':
		l.at += length
		return l.comment(begin)
	case kind == '{':
		l.add(token{kind: tokenVariableBegin})
	default:
		l.add(token{kind: tokenBlockBegin})
	}
	l.at += length
	return l.tag(kind == '{')
}

// before strips the text in front of a tag, depending on the tag's sign.
func (l *lexer) before(text, sign string, variable bool) string {
	switch {
	case sign == "-":
		return trimRightSpace(text)
	case sign == "+" || variable:
		return text
	}
	start := strings.LastIndexByte(text, '\n') + 1
	if (start > 0 || l.lineStart) && trimRightSpace(text[start:]) == "" {
		return text[:start]
	}
	return text
}

// ended sets lineStart after a tag has been read.
func (l *lexer) ended() { l.lineStart = l.at > 0 && l.source[l.at-1] == '\n' }

// close moves to i, the end of a tag, and past the white space that the tag's sign
// or trim_blocks (trim) removes.
func (l *lexer) close(i int, sign string, trim bool) {
	l.at = i
	if sign == "-" {
		l.at = spaceEnd(l.source, l.at)
	} else if trim && sign == "" && strings.HasPrefix(l.source[l.at:], "\n") {
		l.at++
	}
	l.ended()
}

func (l *lexer) comment(begin int) error {
	n := strings.Index(l.source[l.at:], "#}")
	if l.at == len(l.source) {
		return nil // as in Jinja2: no error if nothing follows the opening tag
	}
	if n < 0 {
		return syntaxError(l.lineAt(begin), "Missing end of comment tag")
	}
	end, sign := l.at+n, ""
	if n > 0 && (l.source[end-1] == '-' || l.source[end-1] == '+') {
		sign = l.source[end-1 : end]
	}
	l.close(end+2, sign, true)
	return nil
}

func (l *lexer) raw() error {
	m := endRaw.FindStringSubmatchIndex(l.source[l.at:])
	if l.at == len(l.source) {
		return nil
	}
	if m == nil {
		return syntaxError(l.lineAt(l.at), "Missing end of raw directive")
	}
	rest := l.source[l.at:]
	if text := l.before(rest[:m[0]], rest[m[2]:m[3]], false); text != "" {
		l.add(token{kind: tokenData, text: text})
	}
	l.close(l.at+m[1], rest[m[4]:m[5]], true)
	return nil
}

// tag reads the tokens of a tag to its end.
func (l *lexer) tag(variable bool) error {
	l.open = l.open[:0]
	for l.at < len(l.source) {
		rest := l.source[l.at:]
		if len(l.open) == 0 {
			end, kind := "%}", tokenBlockEnd
			if variable {
				end, kind = "}}", tokenVariableEnd
			}
			sign := ""
			if rest[0] == '-' || rest[0] == '+' && !variable {
				sign = rest[:1]
			}
			if strings.HasPrefix(rest[len(sign):], end) {
				l.add(token{kind: kind})
				l.close(l.at+len(sign)+2, sign, !variable)
				return nil
			}
		}
		if n := spaceEnd(rest, 0); n > 0 {
			l.at += n
			continue
		}
		if err := l.inside(rest); err != nil {
			return err
		}
	}
	return nil // the parser reports the missing end
}

// inside reads one token within a tag.
func (l *lexer) inside(rest string) error {
	if m := floatPattern.FindString(rest); m != "" && !(l.at > 0 && l.source[l.at-1] == '.') {
		f, err := strconv.ParseFloat(strings.ReplaceAll(m, "_", ""), 64)
		if err != nil {
			return errorAt(l.lineAt(l.at), Unsupported, "the number %s, which is beyond a float", m)
		}
		l.add(token{kind: tokenFloat, value: f, text: m})
		l.at += len(m)
		return nil
	}
	if m := intPattern.FindString(rest); m != "" {
		if len(m) > maxDigits {
			return syntaxError(l.lineAt(l.at), "a number of %d digits", len(m))
		}
		n, ok := new(big.Int).SetString(strings.ReplaceAll(m, "_", ""), 0)
		if !ok {
			n.SetString("0", 10) // several zeros, which SetString cannot read with base 0
		}
		l.add(token{kind: tokenInteger, value: integer(n), text: m})
		l.at += len(m)
		return nil
	}
	if n := wordEnd(rest); n > 0 {
		if !isIdentifier(rest[:n]) {
			return syntaxError(l.lineAt(l.at), "Invalid character in identifier")
		}
		l.add(token{kind: tokenName, text: rest[:n]})
		l.at += n
		return nil
	}
	if rest[0] == '\'' || rest[0] == '"' {
		for i := 1; i < len(rest); i++ {
			if rest[i] == '\\' {
				i++
			} else if rest[i] == rest[0] {
				s, err := unescape(rest[1:i])
				if err != nil {
					err.(*Error).Line = l.lineAt(l.at)
					return err
				}
				l.add(token{kind: tokenString, text: s})
				l.at += i + 1
				return nil
			}
		}
	}
	for _, op := range operators {
		if strings.HasPrefix(rest, op) {
			return l.operator(op)
		}
	}
	r, _ := utf8.DecodeRuneInString(rest)
	return syntaxError(l.lineAt(l.at), "unexpected char %s at %d", repr(string(r)), utf8.RuneCountInString(l.source[:l.at]))
}

func (l *lexer) operator(op string) error {
	switch op {
	case "(":
		l.open = append(l.open, ')')
	case "[":
		l.open = append(l.open, ']')
	case "{":
		l.open = append(l.open, '}')
	case ")", "]", "}":
		n := len(l.open) - 1
		if n < 0 {
			return syntaxError(l.lineAt(l.at), "unexpected '%s'", op)
		}
		if l.open[n] != op[0] {
			return syntaxError(l.lineAt(l.at), "unexpected '%s', expected '%c'", op, l.open[n])
		}
		l.open = l.open[:n]
	}
	l.add(token{kind: tokenOperator, text: op})
	l.at += len(op)
	return nil
}

// wordEnd returns how many bytes of letters, digits and underscores begin s.
func wordEnd(s string) int {
	return len(s) - len(strings.TrimLeftFunc(s, isWord))
}

func isWord(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r) }

func isIdentifier(s string) bool {
	for i, r := range s {
		if r == '_' || unicode.IsLetter(r) || unicode.Is(unicode.Nl, r) {
			continue
		}
		if i == 0 || !(unicode.IsDigit(r) || unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Mc, r) || unicode.Is(unicode.Pc, r)) {
			return false
		}
	}
	return s != ""
}

// unescape replaces the escapes of a string literal as Python does.
func unescape(s string) (string, error) {
	if !strings.Contains(s, `\`) {
		return s, nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		if n := strings.IndexByte(`\'"abfnrtv`, s[i]); n >= 0 {
			b.WriteByte("\\'\"\a\b\f\n\r\t\v"[n])
			continue
		}
		digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[s[i]]
		switch {
		case s[i] == '\n':
		case s[i] >= '0' && s[i] <= '7':
			n := 0
			for k := 0; k < 3 && i < len(s) && s[i] >= '0' && s[i] <= '7'; k++ {
				n, i = n*8+int(s[i]-'0'), i+1
			}
			i--
			b.WriteRune(rune(n))
		case digits > 0:
			if i+digits >= len(s) {
				return "", fail(syntax, `truncated \%c escape`, s[i])
			}
			n, err := strconv.ParseUint(s[i+1:i+1+digits], 16, 32)
			if err != nil {
				return "", fail(syntax, `truncated \%c escape`, s[i])
			}
			if n > unicode.MaxRune {
				return "", fail(syntax, "illegal Unicode character")
			}
			if !utf8.ValidRune(rune(n)) {
				return "", fail(Unsupported, `half of a pair of surrogates, \%c%04x`, s[i], n)
			}
			b.WriteRune(rune(n))
			i += digits
		case s[i] == 'N':
			return "", fail(Unsupported, `a character by name, \N`)
		case s[i] < utf8.RuneSelf:
			b.WriteByte('\\')
			b.WriteByte(s[i])
		default:
			// Jinja2 first replaces r by an escape; the backslash before r then escapes that
			// escape's own backslash.
			r, n := utf8.DecodeRuneInString(s[i:])
			b.WriteByte('\\')
			b.WriteString(strings.TrimPrefix(escapeRune(r), `\`))
			i += n - 1
		}
	}
	return b.String(), nil
}
