package words

import (
	"slices"
	"strings"
	"testing"
)

func TestSplit(t *testing.T) {
	for text, want := range map[string][]string{
		"":                        nil,
		" a  b\tc ":               {"a", "b", "c"},
		`a 'b c' "d\"e" \f ''`:    {"a", "b c", `d"e`, "f", ""},
		`python3 -c 'print(1|2)'`: {"python3", "-c", "print(1|2)"},
		`"a\n"`:                   {`a\n`},
		"unclosed 'quote":         {"error: a quote"},
		"a | b":                   {`error: '|' means something to a shell`},
		`a \`:                     {`error: a "\" at the end`},
	} {
		got, err := Split(text)
		if len(want) == 1 && strings.HasPrefix(want[0], "error: ") {
			if err == nil || !strings.HasPrefix(err.Error(), strings.TrimPrefix(want[0], "error: ")) {
				t.Errorf("%q: %q, %v; want %s", text, got, err, want[0])
			}
		} else if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %q, %v; want %q", text, got, err, want)
		}
	}
}
