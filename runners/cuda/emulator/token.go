package emulator

import "fmt"

// token is a word (names, opcodes, directives, numbers), a string or one
// punctuation character of PTX text.
type token struct {
	kind       byte // 'w' word, 's' string, 0 the end, else the character
	text       string
	line       int
	start, end int // in the text
}

func wordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '$' || c == '%' || c == '.'
}

// tokens splits a text; comments are left out.
func tokens(text string) ([]token, error) {
	list := make([]token, 0, len(text)/6+1)
	line := 1
	for i := 0; i < len(text); {
		c := text[i]
		start := i
		switch {
		case c == '\n':
			line++
			i++
		case c == ' ' || c == '\t' || c == '\r':
			i++
		case c == '/' && i+1 < len(text) && text[i+1] == '/':
			for i < len(text) && text[i] != '\n' {
				i++
			}
		case c == '/' && i+1 < len(text) && text[i+1] == '*':
			first := line
			for i += 2; ; i++ {
				if i+1 >= len(text) {
					return nil, fmt.Errorf("line %d: a comment does not end", first)
				}
				if text[i] == '\n' {
					line++
				}
				if text[i] == '*' && text[i+1] == '/' {
					i += 2
					break
				}
			}
		case c == '"':
			for i++; i < len(text) && text[i] != '"' && text[i] != '\n'; i++ {
			}
			if i >= len(text) || text[i] != '"' {
				return nil, fmt.Errorf("line %d: a string does not end", line)
			}
			i++
			list = append(list, token{'s', text[start:i], line, start, i})
		case wordByte(c):
			for i < len(text) {
				if wordByte(text[i]) {
					i++
				} else if text[i] == ':' && i+2 < len(text) && text[i+1] == ':' && wordByte(text[i+2]) {
					i += 2 // .shared::cta
				} else {
					break
				}
			}
			list = append(list, token{'w', text[start:i], line, start, i})
		case c > ' ' && c < 0x7f:
			i++
			list = append(list, token{c, text[start:i], line, start, i})
		default:
			return nil, fmt.Errorf("line %d: unexpected byte %#02x", line, c)
		}
	}
	return append(list, token{0, "the end of the text", line, len(text), len(text)}), nil
}
