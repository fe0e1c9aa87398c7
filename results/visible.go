package results

import (
	"fmt"
	"reflect"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Visible escapes everything that controls a terminal, so that a model's name, a prediction or an error can neither move
// the cursor nor colour, hide or reorder other text: control characters (C0, DEL, C1), line and paragraph separators,
// the controls of writing direction (Unicode's Bidi_Control) and bytes that are not UTF-8. The escapes are those of Go:
// \n, \r, \t, \x1b for other characters below the space and for single bytes, \u009b for the rest.
func Visible(s string) string { return visible(s, "") }

// VisibleLines is Visible for text of several lines: it keeps line feeds and tabs.
func VisibleLines(s string) string { return visible(s, "\n\t") }

func visible(s, keep string) string {
	var b strings.Builder
	clean := 0 // s[clean:i] needs no change
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		stray := r == utf8.RuneError && n == 1
		if stray || steers(r) && !strings.ContainsRune(keep, r) {
			b.WriteString(s[clean:i])
			switch {
			case stray:
				fmt.Fprintf(&b, `\x%02x`, s[i])
			case r == '\n':
				b.WriteString(`\n`)
			case r == '\r':
				b.WriteString(`\r`)
			case r == '\t':
				b.WriteString(`\t`)
			case r < ' ':
				fmt.Fprintf(&b, `\x%02x`, r)
			default:
				fmt.Fprintf(&b, `\u%04x`, r)
			}
			clean = i + n
		}
		i += n
	}
	if clean == 0 {
		return s
	}
	b.WriteString(s[clean:])
	return b.String()
}

func steers(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Bidi_Control, r)
}

// Visible returns the set with every text as written by [VisibleLines]. Pages and pictures need it: a control of writing
// direction in a model's name would reverse the numbers after it.
func (s Set) Visible() Set {
	rows := s.Rows
	showTexts(reflect.ValueOf(&s).Elem())
	for i := range s.Rows {
		if s.Rows[i].Answer == rows[i].Answer && !strings.Contains(rows[i].Answer, `\u`) {
			continue
		}
		// Several answers are stored as JSON, and decoding it would restore the escaped characters.
		answers := rows[i].Answers()
		for k := range answers {
			answers[k] = VisibleLines(answers[k])
		}
		s.Rows[i].SetAnswers(answers)
	}
	return s
}

// showTexts applies VisibleLines to all texts in a value. It copies lists and maps before it changes them.
func showTexts(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(VisibleLines(v.String()))
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Field(i); f.CanSet() {
				showTexts(f)
			}
		}
	case reflect.Map: // from strings to strings
		if v.IsNil() {
			return
		}
		shown := reflect.MakeMapWithSize(v.Type(), v.Len())
		for _, name := range v.MapKeys() {
			shown.SetMapIndex(reflect.ValueOf(VisibleLines(name.String())), reflect.ValueOf(VisibleLines(v.MapIndex(name).String())))
		}
		v.Set(shown)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 { // JSON: the escapes of its characters are valid JSON too
			v.SetBytes([]byte(VisibleLines(string(v.Bytes()))))
			return
		}
		list := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		reflect.Copy(list, v)
		for i := range list.Len() {
			showTexts(list.Index(i))
		}
		if !v.IsNil() {
			v.Set(list)
		}
	}
}
