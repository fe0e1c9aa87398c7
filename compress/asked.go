package compress

import (
	"errors"
	"fmt"
	"strings"

	"github.com/snapbench/snapbench/runners/engine/cacheformat"
)

// Asked says in a user's words which variants are compared: some one by one, or every
// combination of policies, budgets and parameters' values. Its errors name the flags
// --variants, --policies, --budgets, --cache and those of [Flags].
type Asked struct {
	Variants string // one by one, separated by semicolons; empty: the combinations
	Policies []string
	Budgets  []string
	Bytes    []string            // budgets in bytes, in place of Budgets: the full cache, and each of these
	Values   map[string][]string // of parameters, by the flag's name
	Caches   []string            // formats of caches, each for every variant; none: the device's own type
}

// List returns the variants. Given says whether the user gave a flag; what it holds
// otherwise is a default.
func (a Asked) List(given func(flag string) bool) ([]Variant, error) {
	var axes []Axis
	for _, f := range Flags() {
		if list := a.Values[f.Name]; len(list) > 0 {
			axes = append(axes, Axis{Name: f.Parameter, Flag: "--" + f.Name, Values: trimmed(list)})
		}
	}
	if a.Variants != "" {
		for _, name := range []string{"policies", "budgets", "bytes", "cache"} {
			if given(name) {
				return nil, fmt.Errorf("--variants and --%s exclude each other", name)
			}
		}
		if len(axes) > 0 {
			return nil, fmt.Errorf("--variants and %s exclude each other", axes[0].Flag)
		}
		return ParseAll(a.Variants)
	}
	g := Grid{Budgets: trimmed(a.Budgets), Axes: axes}
	if len(a.Bytes) > 0 {
		if given("budgets") {
			return nil, errors.New("--bytes and --budgets exclude each other")
		}
		g.Budgets = []string{FullName}
		for _, b := range trimmed(a.Bytes) {
			if b != FullName {
				g.Budgets = append(g.Budgets, InBytes+b)
			}
		}
	}
	for _, name := range trimmed(a.Caches) {
		if name == Native {
			g.Formats = append(g.Formats, nil)
			continue
		}
		f, err := cacheformat.Get(name)
		if err != nil {
			return nil, fmt.Errorf("--cache: %w, and %s for the device's own type", err, Native)
		}
		g.Formats = append(g.Formats, f)
	}
	for _, text := range a.Policies {
		call, err := ParseCall(text)
		if err != nil {
			return nil, fmt.Errorf("--policies: %w", err)
		}
		g.Policies = append(g.Policies, call)
	}
	if len(g.Policies) == 1 && g.Policies[0].Name == FullName {
		if given("budgets") || len(a.Bytes) > 0 {
			return nil, fmt.Errorf("--policies full keeps everything: --budgets has no place beside it")
		}
		g.Budgets = nil
	}
	return g.Variants()
}

// trimmed takes spaces away, as in 'full, 512'.
func trimmed(list []string) []string {
	var out []string
	for _, s := range list {
		out = append(out, strings.TrimSpace(s))
	}
	return out
}
