package tokenizer

import (
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// The regular expressions that split text for the most common vocabularies. Each has a hand-written scanner that makes
// the same cuts as [pattern] and is many times faster. The expressions differ only in these points:
//
//	          contractions   before letters        digits at once   after symbols
//	GPT-2     lower case     a space               any number       –
//	Llama 3   any case       any but \r \n digits  3                line ends
//	Qwen 2    any case       any but \r \n digits  1                line ends
const (
	gpt2Expr   = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
	llama3Expr = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	qwen2Expr  = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
)

// scanners maps an expression to its scanner, which returns the length of the first piece of a non-empty text. The
// expressions match every character, so the pieces cover the text.
var scanners = map[string]func(string) int{
	gpt2Expr:   scanGPT2,
	llama3Expr: func(s string) int { return scanLlama3(s, 3) },
	qwen2Expr:  func(s string) int { return scanLlama3(s, 1) },
}

// kind is a class of characters that the expressions distinguish.
type kind uint8

const (
	other  kind = iota // symbols, punctuation, marks
	letter             // \p{L}
	number             // \p{N}
	space              // \s
)

// kinds is a table of the characters below 1<<16, because a search in the range tables of package unicode is slower.
var kinds = sync.OnceValue(func() *[1 << 16]kind {
	var t [1 << 16]kind
	for r := range t {
		t[r] = searchKind(rune(r))
	}
	return &t
})

func searchKind(r rune) kind {
	switch {
	case unicode.IsLetter(r):
		return letter
	case unicode.IsNumber(r):
		return number
	case unicode.IsSpace(r):
		return space
	}
	return other
}

// kindAt returns the kind and the length of the character at s[i]. At the end of s the length is 0.
func kindAt(t *[1 << 16]kind, s string, i int) (kind, int) {
	if i >= len(s) {
		return other, 0
	}
	if c := s[i]; c < utf8.RuneSelf {
		return t[c], 1
	}
	r, n := utf8.DecodeRuneInString(s[i:])
	if r < 1<<16 {
		return t[r], n
	}
	return searchKind(r), n
}

// run returns the end of the run of characters of kind k that begins at s[i], with at most limit characters.
func run(t *[1 << 16]kind, s string, i int, k kind, limit int) int {
	for ; limit > 0; limit-- {
		got, n := kindAt(t, s, i)
		if n == 0 || got != k {
			break
		}
		i += n
	}
	return i
}

const unlimited = int(^uint(0) >> 1)

func scanGPT2(s string) int {
	if s[0] == '\'' && len(s) > 1 {
		switch s[1] {
		case 's', 't', 'm', 'd':
			return 2
		}
		if len(s) > 2 && (s[1:3] == "re" || s[1:3] == "ve" || s[1:3] == "ll") {
			return 3
		}
	}
	t := kinds()
	i := 0
	if s[0] == ' ' {
		i = 1
	}
	if k, n := kindAt(t, s, i); n > 0 && k != space {
		return run(t, s, i, k, unlimited)
	}
	return scanSpace(t, s)
}

func scanLlama3(s string, digits int) int {
	if s[0] == '\'' {
		if n := contraction(s[1:]); n > 0 {
			return 1 + n
		}
	}
	t := kinds()
	k, n := kindAt(t, s, 0)
	switch k {
	case letter:
		return run(t, s, n, letter, unlimited)
	case number:
		return run(t, s, 0, number, digits)
	}
	if s[0] != '\r' && s[0] != '\n' {
		if end := run(t, s, n, letter, unlimited); end > n {
			return end
		}
	}
	i := 0
	if s[0] == ' ' {
		i = 1
	}
	if end := run(t, s, i, other, unlimited); end > i {
		for end < len(s) && (s[end] == '\r' || s[end] == '\n') {
			end++
		}
		return end
	}
	end := run(t, s, 0, space, unlimited)
	if last := strings.LastIndexAny(s[:end], "\r\n"); last >= 0 {
		return last + 1
	}
	return scanSpace(t, s)
}

// scanSpace is \s+(?!\S)|\s+: white space, without its last character if there are several and other text follows.
func scanSpace(t *[1 << 16]kind, s string) int {
	end := run(t, s, 0, space, unlimited)
	if end == len(s) {
		return end
	}
	if _, n := utf8.DecodeLastRuneInString(s[:end]); n < end {
		return end - n
	}
	return end
}

// contraction returns the length of s, t, re, ve, m, ll or d, in any case, at the start of text. U+017F counts as an s.
func contraction(text string) int {
	if text == "" {
		return 0
	}
	switch text[0] | 0x20 {
	case 's', 't', 'm', 'd':
		return 1
	}
	if strings.HasPrefix(text, "ſ") {
		return len("ſ")
	}
	if len(text) > 1 {
		switch [2]byte{text[0] | 0x20, text[1] | 0x20} {
		case [2]byte{'r', 'e'}, [2]byte{'v', 'e'}, [2]byte{'l', 'l'}:
			return 2
		}
	}
	return 0
}
