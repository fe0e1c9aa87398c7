package server

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Variant is a server with its settings: "server(label=bf16)", "server(kv=fp8)".
type Variant struct {
	text   string
	params map[string]string
}

// NewVariant names a server by a label, by the settings that it was started with, or
// by both.
func NewVariant(label string, settings map[string]string) (Variant, error) {
	params := maps.Clone(settings)
	if params == nil {
		params = map[string]string{}
	}
	if label != "" {
		if _, there := params["label"]; there {
			return Variant{}, fmt.Errorf("a label %q and a setting of the name label: choose another name for the setting", label)
		}
		params["label"] = label
	}
	var words []string
	for _, name := range slices.Sorted(maps.Keys(params)) {
		if name == "" || strings.ContainsFunc(name, odd) {
			return Variant{}, fmt.Errorf("setting %q: want a name without spaces, quotes, commas, brackets and =", name)
		}
		if params[name] == "" {
			params[name] = `""` // a parameter has a text
		}
		value := params[name]
		if value != `""` && strings.ContainsFunc(value, odd) {
			value = strconv.Quote(value)
		}
		words = append(words, name+"="+value)
	}
	if len(words) == 0 {
		return Variant{"server", nil}, nil
	}
	return Variant{"server(" + strings.Join(words, ",") + ")", params}, nil
}

// odd characters would make two variants' texts alike, or one unreadable.
func odd(r rune) bool { return strings.ContainsRune(`,()="`, r) || r <= ' ' || !strconv.IsPrint(r) }

// String is the variant's identity.
func (v Variant) String() string { return v.text }

// Policy names the variants of all servers: what a cache of theirs does is their own
// affair.
const Policy = "server"

// Policy is [Policy].
func (v Variant) Policy() string { return Policy }

// Budget is "full": a server is asked for no budget.
func (v Variant) Budget() string { return "full" }

// Params are the settings, and the label under its own name.
func (v Variant) Params() map[string]string { return maps.Clone(v.params) }
