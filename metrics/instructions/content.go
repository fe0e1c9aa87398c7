package instructions

import (
	"strings"

	"github.com/snapbench/snapbench/metrics/internal/pyre"
	"github.com/snapbench/snapbench/metrics/internal/pystr"
)

var placeholder = pyre.Must(`\[.*?\]`, pyre.Flags{})

func placeholders(p *parameters) (func(string) (bool, error), error) {
	least, err := p.count("num_placeholders", 0)
	return func(answer string) (bool, error) {
		found, err := placeholder.Find([]rune(answer))
		return err == nil && len(found) >= least, err
	}, err
}

// The two markers that are known by name; any other is a pattern itself.
var markers = map[string]string{"P.P.S": `\s*p\.\s?p\.\s?s.*$`, "P.S.": `\s*p\.\s?s\..*$`}

func postscript(p *parameters) (func(string) (bool, error), error) {
	marker, err := p.text("postscript_marker")
	if err != nil {
		return nil, err
	}
	marker = pystr.Strip(marker)
	text, ok := markers[marker]
	if !ok {
		text = `\s*` + pystr.Lower(marker) + `.*$`
	}
	found, err := pattern("postscript_marker", text, pyre.Flags{Multiline: true})
	return func(answer string) (bool, error) { return found.Match([]rune(pystr.Lower(answer))) }, err
}

var titled = pyre.Must(`<<[^\n]+>>`, pyre.Flags{})

func title(*parameters) (func(string) (bool, error), error) {
	return func(answer string) (bool, error) {
		text := []rune(answer)
		found, err := titled.Find(text)
		for _, f := range found {
			inside := strings.TrimRight(strings.TrimLeft(string(text[f[0]:f[1]]), "<"), ">")
			if pystr.Strip(inside) != "" {
				return true, err
			}
		}
		return false, err
	}, nil
}
