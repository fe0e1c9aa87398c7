// Package pystr has the string semantics of Python 3 that published scores
// depend on. The originals of our metrics are Python programs, and Python and
// Go's strings package differ about lower case, white space, word characters and
// digits. Each function names the Python function or pattern that it follows.
//
// The tables are those of Go's unicode package. A character that is missing from
// Python's tables, which are usually older, may be classified differently.
package pystr

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// IsSpace is str.isspace for one character, which str.split, str.strip and the
// pattern \s use too: besides Unicode's White_Space it includes the four
// information separators U+001C to U+001F.
func IsSpace(r rune) bool {
	return unicode.IsSpace(r) || 0x1c <= r && r <= 0x1f
}

// IsWord is the pattern \w: letters, everything numeric and the underscore.
// Combining marks do not count.
func IsWord(r rune) bool {
	return r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r)
}

// IsDigit is the pattern \d: a decimal digit of any script.
func IsDigit(r rune) bool { return unicode.IsDigit(r) }

// Fields is str.split() without arguments.
func Fields(s string) []string { return strings.FieldsFunc(s, IsSpace) }

// Strip is str.strip() without arguments.
func Strip(s string) string { return strings.TrimFunc(s, IsSpace) }

// LeftStrip is str.lstrip() without arguments.
func LeftStrip(s string) string { return strings.TrimLeftFunc(s, IsSpace) }

// Lower is str.lower: the full lower-casing of the Unicode standard, where İ
// becomes two characters and Σ becomes ς at the end of a word (Unicode
// section 3.13, Final_Sigma).
func Lower(s string) string {
	ascii := true
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			ascii = false
			break
		}
	}
	if ascii {
		return strings.ToLower(s)
	}
	var b strings.Builder
	b.Grow(len(s))
	for i, r := range s {
		switch r {
		case 'İ':
			b.WriteString("i\u0307")
		case 'Σ':
			if finalSigma(s, i) {
				b.WriteRune('ς')
			} else {
				b.WriteRune('σ')
			}
		default:
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return b.String()
}

// finalSigma reports whether the Σ at byte i of s ends a word: there is a cased
// letter before it and none after it, where case-ignorable characters are skipped.
func finalSigma(s string, i int) bool {
	before := strings.TrimRightFunc(s[:i], caseIgnorable)
	if r, size := utf8.DecodeLastRuneInString(before); size == 0 || !cased(r) {
		return false
	}
	after := strings.TrimLeftFunc(s[i+len("Σ"):], caseIgnorable)
	r, size := utf8.DecodeRuneInString(after)
	return size == 0 || !cased(r)
}

// cased is the derived property Cased.
func cased(r rune) bool {
	return unicode.In(r, unicode.Lu, unicode.Ll, unicode.Lt, unicode.Other_Lowercase, unicode.Other_Uppercase)
}

// caseIgnorable is the derived property Case_Ignorable: marks, format
// characters, modifiers, and the punctuation that may stand inside a word
// (Word_Break values MidLetter, MidNumLet and Single_Quote).
func caseIgnorable(r rune) bool {
	switch r {
	case '\'', '.', ':', '·', '\u0387', '\u055f', '\u05f4', '\u2018', '\u2019', '\u2024', '\u2027',
		'\ufe13', '\ufe52', '\ufe55', '\uff07', '\uff0e', '\uff1a':
		return true
	}
	return unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf, unicode.Lm, unicode.Sk)
}

// DigitRuns is re.findall(r"\d+", s).
func DigitRuns(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return !IsDigit(r) })
}

// LeadingDigits is the longest run of digits that s starts with.
func LeadingDigits(s string) string {
	end := strings.IndexFunc(s, func(r rune) bool { return !IsDigit(r) })
	if end < 0 {
		return s
	}
	return s[:end]
}

// ReplaceWords replaces every whole word of s (a maximal run of word characters)
// that match accepts by the string with. If match accepts a set of words, this is
// re.sub(r"\b(one|of|them)\b", with, s).
func ReplaceWords(s, with string, match func(word string) bool) string {
	var b strings.Builder
	b.Grow(len(s))
	for len(s) > 0 {
		start := strings.IndexFunc(s, IsWord)
		if start < 0 {
			break
		}
		b.WriteString(s[:start])
		s = s[start:]
		end := strings.IndexFunc(s, func(r rune) bool { return !IsWord(r) })
		if end < 0 {
			end = len(s)
		}
		if match(s[:end]) {
			b.WriteString(with)
		} else {
			b.WriteString(s[:end])
		}
		s = s[end:]
	}
	b.WriteString(s)
	return b.String()
}

// Drop removes the characters for which drop is true.
func Drop(s string, drop func(rune) bool) string {
	return strings.Map(func(r rune) rune {
		if drop(r) {
			return -1
		}
		return r
	}, s)
}

// IsASCIIPunct reports whether r is in Python's string.punctuation.
func IsASCIIPunct(r rune) bool {
	switch {
	case '!' <= r && r <= '/', ':' <= r && r <= '@', '[' <= r && r <= '`', '{' <= r && r <= '~':
		return true
	}
	return false
}

// SpaceClass is \s as the inside of a character class of Go's regular expressions, whose own
// \s is ASCII.
const SpaceClass = `\s\v\x1c-\x1f\x{85}\p{Z}`

// ASCIIDigits spells the decimal digits of any script as 0 to 9.
func ASCIIDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if r < utf8.RuneSelf || !unicode.IsDigit(r) {
			return r
		}
		before := rune(0) // Unicode has decimal digits in runs of ten, in order, some next to each other
		for unicode.IsDigit(r - before - 1) {
			before++
		}
		return '0' + before%10
	}, s)
}

// maxIntDigits is the most digits that int takes since 2022 (CVE-2020-10735).
const maxIntDigits = 4300

// Int is int(s) for a text in base ten, spelled as str prints the number: white space around
// it (but for U+001C to U+001F), a sign, digits of any script, and single underscores between
// digits are read. ok is false where Python raises ValueError.
func Int(s string) (number string, ok bool) {
	s = ASCIIDigits(strings.TrimFunc(s, func(r rune) bool { return IsSpace(r) && (r < 0x1c || r > 0x1f) }))
	sign := ""
	if s != "" && (s[0] == '+' || s[0] == '-') {
		if s[0] == '-' {
			sign = "-"
		}
		s = s[1:]
	}
	digits := strings.ReplaceAll(s, "_", "")
	if digits == "" || len(digits) > maxIntDigits || s[0] == '_' || s[len(s)-1] == '_' || strings.Contains(s, "__") ||
		strings.ContainsFunc(digits, func(r rune) bool { return r < '0' || r > '9' }) {
		return "", false
	}
	if digits = strings.TrimLeft(digits, "0"); digits == "" {
		return "0", true
	}
	return sign + digits, true
}
