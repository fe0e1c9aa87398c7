package instructions

import (
	"encoding/json"
	"strings"

	"github.com/snapbench/snapbench/metrics/internal/pystr"
)

// isJSON says whether Python's json reads an answer, with or without the marks of a code block
// around it.
func isJSON(answer string) bool {
	text := pystr.Strip(answer)
	for _, fence := range []string{"```json", "```Json", "```JSON", "```"} {
		text = strings.TrimPrefix(text, fence)
	}
	return json.Valid([]byte(finite(pystr.Strip(strings.TrimSuffix(text, "```")))))
}

// finite replaces the numbers that Python reads beyond those of JSON by null, outside of texts.
func finite(text string) string {
	var b strings.Builder
	for inside := false; text != ""; {
		n, with := 1, text[:1]
		switch {
		case inside && text[0] == '\\' && len(text) > 1:
			n, with = 2, text[:2]
		case text[0] == '"':
			inside = !inside
		case inside:
		default:
			for _, name := range []string{"NaN", "Infinity", "-Infinity"} {
				if strings.HasPrefix(text, name) {
					n, with = len(name), "null"
				}
			}
		}
		b.WriteString(with)
		text = text[n:]
	}
	return b.String()
}
