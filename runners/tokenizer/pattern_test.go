package tokenizer

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// splitAt cuts a text at the matches of an expression. Every match is a piece, and so is the text between two matches.
func splitAt(t testing.TB, expr string) func(text string) []string {
	t.Helper()
	p, err := compilePattern(expr)
	if err != nil {
		t.Fatal(err)
	}
	return func(text string) []string {
		pieces, err := (&delimiterSplitter{expr: p, how: isolated}).split(nil, text, true)
		if err != nil {
			panic(err) // not t.Fatal: t may be a fuzz test's, which must not be used in its target
		}
		return pieces
	}
}

// fragments are texts that the splitting expressions must distinguish.
var fragments = []string{
	"a", "the", "Über", "世界", "ʰ", "ǅ", "'", "'s", "'S", "'ſ", "'re", "'Ve", "'lL", "'d", "'x", "’s", "1", "23", "4567",
	"½", "Ⅷ", "٣", "²", " ", "  ", "\t", "\n", "\r\n", "\r", "\u00a0", "\u2028", "\u3000", "\u0085", "\v", "\u001c", ".",
	"!?", "_", "😀", "e\u0301", "\u0301", "\u200d", "\x00", "\U0001E922", "\U0001D7D8", "İ", "K",
}

func randomText(r *rand.Rand) string {
	var b strings.Builder
	for range 1 + r.IntN(10) {
		b.WriteString(fragments[r.IntN(len(fragments))])
	}
	return b.String()
}

// TestScannersFollowExpressions: the hand-written scanners cut like their expressions.
func TestScannersFollowExpressions(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	check := func(expr string, scan func(string) int) {
		slow := splitAt(t, expr)
		for range 10000 {
			text := randomText(r)
			want := slow(text)
			if got, err := scanSplitter(scan).split(nil, text, true); err != nil || !slices.Equal(got, want) {
				t.Fatalf("%q by %s: cut into %q (%v), want %q", text, expr, got, err, want)
			}
		}
	}
	for expr, scan := range scanners {
		check(expr, scan)
	}
	check(`\p{N}`, scanDigit)
	check(`\p{N}+`, scanDigits)
}

func TestPattern(t *testing.T) {
	for _, c := range []struct {
		expr, text string
		want       []string
	}{
		{`a|ab`, "ab", []string{"a", "b"}}, // the first alternative that matches, not the longest
		{`ab|a`, "aab", []string{"a", "ab"}},
		{`a{2,3}`, "aaaaa", []string{"aaa", "aa"}},
		{`a{2}`, "aaaaa", []string{"aa", "aa", "a"}},
		{`a{2,}b`, "abaab", []string{"ab", "aab"}},
		{`a+?b?`, "aab", []string{"a", "ab"}},
		{`a++b`, "aab", []string{"aab"}},
		{`a++ab`, "aaab", []string{"aaab"}}, // possessive: a++ takes every a, so nothing matches
		{`(?>a+)ab|b`, "aab", []string{"aa", "b"}},
		{`(?i:k)`, "kKKx", []string{"k", "K", "K", "x"}},
		{`(?i)ß|s`, "ſSẞß", []string{"ſ", "S", "ẞ", "ß"}},
		{`[^\r\n\p{L}]x`, "ax.x", []string{"ax", ".x"}},
		{`[\-\]a-c]`, "b-]d", []string{"b", "-", "]", "d"}},
		{`[a\-z]+`, "a-zb", []string{"a-z", "b"}},
		{`[\x41-\x{43}]+`, "ABCD", []string{"ABC", "D"}},
		{`[^\S\n]+`, "  \n ", []string{"  ", "\n", " "}},
		{`\p{Lu}\p{Ll}+`, "ABcD", []string{"A", "Bc", "D"}},
		{`\p{Han}+`, "a世界b", []string{"a", "世界", "b"}},
		{`\P{L}`, "a1", []string{"a", "1"}},
		{`\p{^L}`, "a1", []string{"a", "1"}},
		{`\s+(?!\S)`, "a   b  ", []string{"a", "  ", " b", "  "}},
		{`\d+(?=a)`, "12a34b", []string{"12", "a34b"}},
		{`^a`, "aa\na", []string{"a", "a\n", "a"}},
		{`a$`, "aa\na", []string{"a", "a", "\n", "a"}},
		{`.+`, "ab\nc", []string{"ab", "\n", "c"}},
		{`x*`, "axx", []string{"a", "xx"}}, // empty matches do not count
		{`(ab|c){2}`, "abcab", []string{"abc", "ab"}},
		{`()`, "ab", []string{"ab"}},
		{``, "ab", []string{"ab"}},
	} {
		if got := splitAt(t, c.expr)(c.text); !slices.Equal(got, c.want) {
			t.Errorf("%q cut by %s into %q, want %q", c.text, c.expr, got, c.want)
		}
	}
}

func TestPatternErrors(t *testing.T) {
	for expr, want := range map[string]string{
		`a)`:                               "byte 1: unmatched",
		`(a`:                               "byte 0: unclosed (",
		`a[bc`:                             "byte 1: unclosed [",
		`*a`:                               "nothing to repeat",
		`a{5,2}`:                           "a repetition like {1,3}",
		`a{1,9999}`:                        "numbers up to 1000",
		`\p{Nonsense}`:                     `unknown Unicode property "Nonsense"`,
		`\b`:                               `\b is not supported`,
		`(?<=a)b`:                          "is not supported",
		`[a[b]]`:                           "sets within sets",
		`[a&&b]`:                           "sets within sets",
		`[z-a]`:                            "bad range",
		`a\`:                               "backslash at the end",
		`\x{110000}`:                       `bad \x`,
		"\xff":                             "not valid UTF-8",
		strings.Repeat("(", 100):           "nested deeper",
		`(((a{1000}){1000}){1000}){1000}`:  "too large",
		`(((a{0,900}){0,900}){0,900}){99}`: "too large",
	} {
		_, err := compilePattern(expr)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20s: error %v, want one with %q", expr, err, want)
		}
	}
}

// TestPatternSteps: an expression that backtracks exponentially or without end is an error.
func TestPatternSteps(t *testing.T) {
	for _, expr := range []string{`(a+)+b`, `(a*)*b`, `(a|a)*b`, `(?:)*b`} {
		p, err := compilePattern(expr)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := p.matcher(strings.Repeat("a", 60)).find(0); !errors.Is(err, errPatternSteps) {
			t.Errorf("%s: error %v, want %v", expr, err, errPatternSteps)
		}
	}
}

// TestO200kSplit: the pieces that Python's regex module cuts with tiktoken's expression.
func TestO200kSplit(t *testing.T) {
	cut := splitAt(t, o200kExpr)
	for text, want := range map[string][]string{
		"HelloWorld it's WE'RE fine":        {"Hello", "World", " it's", " WE'RE", " fine"},
		"a/b//\n\n  x1234 5":                {"a", "/b", "//\n\n", " ", " x", "123", "4", " ", "5"},
		"  Ünïcode née世界ab ":                {" ", " Ünïcode", " née世界ab", " "},
		"getHTTPResponse_code=42;\r\n\tend": {"get", "HTTPResponse", "_code", "=", "42", ";\r\n", "\tend"},
		"don'T  '":                          {"don'T", " ", " '"},
	} {
		if got := cut(text); !slices.Equal(got, want) {
			t.Errorf("%q is cut into %q, want %q", text, got, want)
		}
	}
}
