// Package words splits commands into words, as a shell would, where no shell reads them.
package words

import (
	"fmt"
	"strings"
)

// Split splits a command at blanks outside of quotes. What only a shell could do is an error,
// for it would be passed on as it stands.
func Split(s string) ([]string, error) {
	var words []string
	var word strings.Builder
	begun := false
	var quote rune
	escaped := false
	for _, c := range s {
		switch {
		case escaped:
			if quote == '"' && !strings.ContainsRune("\"\\$`\n", c) {
				word.WriteByte('\\')
			}
			word.WriteRune(c)
			escaped = false
		case c == '\\' && quote != '\'':
			escaped, begun = true, true
		case c == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(c)
		case c == '\'' || c == '"':
			quote, begun = c, true
		case c == ' ' || c == '\t' || c == '\n':
			if begun {
				words = append(words, word.String())
				word.Reset()
				begun = false
			}
		case strings.ContainsRune("|&;<>$`", c):
			return nil, fmt.Errorf("%q means something to a shell, and none reads the command: quote it, or ask a shell: sh -c '…'", c)
		default:
			word.WriteRune(c)
			begun = true
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("a quote %q is not closed", quote)
	}
	if escaped {
		return nil, fmt.Errorf(`a "\" at the end`)
	}
	if begun {
		words = append(words, word.String())
	}
	return words, nil
}
