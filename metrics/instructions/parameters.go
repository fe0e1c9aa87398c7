package instructions

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/snapbench/snapbench/metrics/internal/pyre"
)

// parameters are what an instruction was given. Its methods read one each, and note it as read.
type parameters struct {
	given map[string]json.RawMessage
	read  []string
}

// mostCount bounds the numbers of instructions.
const mostCount = 1_000_000

// count reads a number from least on.
func (p *parameters) count(name string, least int) (int, error) {
	var n float64 // some files have 3.0 for 3
	if err := p.into(name, &n); err != nil {
		return 0, err
	}
	if n != float64(int(n)) || int(n) < least || n > mostCount {
		return 0, fmt.Errorf("parameter %q is %v: want a whole number, %d to %d", name, n, least, mostCount)
	}
	return int(n), nil
}

// text reads a text that is not blank.
func (p *parameters) text(name string) (s string, err error) {
	if err = p.into(name, &s); err == nil && strings.TrimSpace(s) == "" {
		err = fmt.Errorf("parameter %q is blank", name)
	}
	return s, err
}

// texts reads a list of texts, of which none is empty: an empty keyword is everywhere.
func (p *parameters) texts(name string) (list []string, err error) {
	if err = p.into(name, &list); err != nil {
		return nil, err
	}
	if len(list) == 0 || slices.Contains(list, "") {
		return nil, fmt.Errorf("parameter %q is %q: want texts, and none of them empty", name, list)
	}
	return list, nil
}

// relation reads "less than" or "at least", and returns how a number is held to another.
func (p *parameters) relation(name string) (func(n, other int) bool, error) {
	var s string
	if err := p.into(name, &s); err != nil {
		return nil, err
	}
	switch s {
	case "less than":
		return func(n, other int) bool { return n < other }, nil
	case "at least":
		return func(n, other int) bool { return n >= other }, nil
	}
	return nil, fmt.Errorf(`parameter %q is %q: have "at least", "less than"`, name, s)
}

func (p *parameters) into(name string, value any) error {
	p.read = append(p.read, name)
	text, ok := p.given[name]
	if !ok {
		return fmt.Errorf("parameter %q is missing", name)
	}
	err := json.Unmarshal(text, value)
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) {
		return fmt.Errorf("parameter %q is %.80s: want %s", name, text, map[string]string{"float64": "a number", "string": "a text", "[]string": "a list of texts"}[kind.Type.String()])
	}
	if err != nil {
		return fmt.Errorf("parameter %q: not JSON: %w", name, err)
	}
	return nil
}

// rest refuses what no method has read.
func (p *parameters) rest() error {
	for _, name := range slices.Sorted(maps.Keys(p.given)) {
		if !slices.Contains(p.read, name) {
			have := "it has none"
			if len(p.read) > 0 {
				have = "have " + strings.Join(p.read, ", ")
			}
			return fmt.Errorf("unknown parameter %q: %s", name, have)
		}
	}
	return nil
}

// pattern compiles one of Python's patterns that a parameter is, or is a part of.
func pattern(name, text string, flags pyre.Flags) (*pyre.Pattern, error) {
	p, err := pyre.Compile(text, flags)
	if err != nil {
		return nil, fmt.Errorf("parameter %s is a regular expression of Python: %w", strconv.Quote(name), err)
	}
	return p, nil
}
