package process

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/snapbench/snapbench/inputs/words"
)

// Template is a command with places for values: "vllm serve M --port {port}". It is
// Words into words as a shell would split it, but no shell reads it: a value that
// takes a place is part of one word, whatever characters it has. Words such as A=b in
// front of the program are its environment.
type Template struct {
	text  string
	words []string
}

// Port is the place of the port on which the server is to listen.
const Port = "port"

// place is a name in braces. JSON in braces is none, since it has quotes or spaces.
var place = regexp.MustCompile(`\{([A-Za-z_][A-Za-z0-9_-]*)\}`)

// ParseTemplate splits a command into words.
func ParseTemplate(command string) (Template, error) {
	words, err := Words(command)
	if err != nil {
		return Template{}, fmt.Errorf("command %q: %w", command, err)
	}
	t := Template{command, words}
	if len(t.words) == 0 || t.environment() == len(t.words) {
		return Template{}, fmt.Errorf("command %q: names no program", command)
	}
	return t, nil
}

// Places are the names in braces, each once, in their order.
func (t Template) Places() []string {
	var names []string
	for _, w := range t.words {
		for _, m := range place.FindAllStringSubmatch(w, -1) {
			if !slices.Contains(names, m[1]) {
				names = append(names, m[1])
			}
		}
	}
	return names
}

func (t Template) String() string { return t.text }

// fill returns the words with values in their places, and how many of them are
// environment.
func (t Template) fill(values map[string]string) (filled []string, environment int, err error) {
	for _, w := range t.words {
		filled = append(filled, place.ReplaceAllStringFunc(w, func(name string) string {
			v, ok := values[name[1:len(name)-1]]
			if !ok {
				err = fmt.Errorf("command %q: no value for %s", t.text, name)
			}
			return v
		}))
	}
	return filled, t.environment(), err
}

// environment counts the words in front that set a variable.
func (t Template) environment() int {
	n := 0
	for n < len(t.words) && variable.MatchString(t.words[n]) {
		n++
	}
	return n
}

var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*=`)

// Words splits a command as [words.Split] does.
func Words(s string) ([]string, error) { return words.Split(s) }
