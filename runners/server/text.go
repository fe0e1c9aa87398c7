package server

import (
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf8"
)

// text is a JSON string as the bytes that the server sent. A stream may cut a
// character in two, half of it in one event, half in the next; encoding/json puts
// U+FFFD in place of each half.
type text string

// UnmarshalJSON reads a string, or null as nothing.
func (t *text) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		*t = ""
		return nil
	}
	if len(data) < 2 || data[0] != '"' || data[len(data)-1] != '"' {
		return errors.New("want a string")
	}
	data = data[1 : len(data)-1]
	var out strings.Builder
	for len(data) > 0 {
		n := 0
		for n < len(data) { // to the next byte that is in no character
			r, size := utf8.DecodeRune(data[n:])
			if r == utf8.RuneError && size == 1 {
				break
			}
			n += size
		}
		if n > 0 {
			var part string
			if err := json.Unmarshal(append(append([]byte{'"'}, data[:n]...), '"'), &part); err != nil {
				return err
			}
			out.WriteString(part)
		}
		if n < len(data) {
			out.WriteByte(data[n])
			n++
		}
		data = data[n:]
	}
	*t = text(out.String())
	return nil
}
