// Package card describes policies for people: parameters, paper, and the cache sizes that a
// policy leaves.
package card

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners/engine"
)

// Policy describes a policy.
type Policy struct {
	Name       string      `json:"policy"`
	Title      string      `json:"title"`
	Help       string      `json:"help"`
	Paper      string      `json:"paper,omitempty"`
	Link       string      `json:"link,omitempty"`
	BuiltOn    string      `json:"built_on,omitempty"`
	Budgeted   bool        `json:"has_budget"`
	Reads      bool        `json:"reads_part,omitempty"` // frees nothing, and reads a part: see [compress.Reader]
	Parameters []Parameter `json:"parameters"`
	Caches     []Cache     `json:"caches"`
}

// Parameter describes one of its parameters.
type Parameter struct {
	Name    string   `json:"name"`
	Flag    string   `json:"flag,omitempty"`
	Kind    string   `json:"kind"`
	Default string   `json:"default"`
	Allowed []string `json:"allowed,omitempty"`
	Least   *float64 `json:"least,omitempty"`
	Most    *float64 `json:"most,omitempty"`
	Help    string   `json:"help"`
}

// Cache is the size of a variant's caches for the model and prompt shown, as a multiple of the full cache's.
// Least and Most differ where the prompt decides.
type Cache struct {
	Variant string  `json:"variant"`
	Least   float64 `json:"times_full_least"`
	Most    float64 `json:"times_full_most"`
	Error   string  `json:"error,omitempty"`
}

var arXiv = regexp.MustCompile(`^\d{4}\.\d{4,5}$`)

// Of describes a policy.
func Of(d *compress.Definition) Policy {
	c := Policy{Name: d.Name, Title: d.Title, Help: d.Help, Paper: d.Paper, BuiltOn: d.Inner, Budgeted: !d.Unbudgeted, Parameters: []Parameter{}}
	if arXiv.MatchString(d.Paper) {
		c.Link = "https://arxiv.org/abs/" + d.Paper
	}
	for _, p := range d.Parameters {
		card := Parameter{Name: p.Name, Flag: p.Flag, Kind: p.Kind.String(), Default: p.Default, Allowed: p.Allowed, Help: p.Help}
		if p.Kind != compress.Word {
			card.Least = &p.Least
		}
		if p.Most != 0 {
			card.Most = &p.Most
		}
		c.Parameters = append(c.Parameters, card)
	}
	c.Caches = cachesOf(d)
	if v, err := compress.Parse(c.Caches[0].Variant); err == nil {
		c.Reads = v.Reads()
	}
	return c
}

// freesNothing says whether the policy is another than full and its caches take as much.
func (c Policy) freesNothing() bool {
	return c.Name != compress.FullName && c.Caches[0].Error == "" && c.Caches[0].Least >= 1
}

// shown is the model and the prompt that cache sizes are given for.
var shown = compress.Layer{Layers: 32, Tokens: 4096, Attention: engine.Attention{Heads: engine.Heads{Query: 32, KV: 8, Size: 128}}}

// shownBudget is the budget that cache sizes are given for.
const shownBudget = "25%"

// shownAs says so in words.
const shownAs = "of a prompt of 4096 tokens, in a model of 32 layers with 32 query and 8 KV heads"

// cachesOf gives the cache sizes of a policy at its defaults, and with each value of a
// parameter that changes the size.
func cachesOf(d *compress.Definition) []Cache {
	plain := cacheOf(d)
	list := []Cache{plain}
	for _, p := range d.Parameters {
		for _, word := range p.Allowed {
			c := cacheOf(d, compress.Setting{Name: p.Name, Text: word})
			if c.Error == "" && c.share() != plain.share() {
				list = append(list, c)
			}
		}
	}
	return list
}

// cacheOf gives the cache size of a policy with some settings.
func cacheOf(d *compress.Definition, settings ...compress.Setting) Cache {
	call, budget := compress.Call{Name: d.Name, Arguments: settings}, ""
	if !d.Unbudgeted {
		budget = shownBudget
		call.Arguments = append([]compress.Setting{{Name: "cap", Text: budget}}, settings...)
	}
	c := Cache{Variant: call.String()}
	v, err := compress.NewVariant(call, "")
	if err == nil {
		err = v.CheckPrompt(shown)
	}
	if err != nil {
		c.Error = err.Error()
		return c
	}
	full := float64(shown.Layers * shown.Heads.KV * shown.Tokens)
	for i := range shown.Layers {
		l := shown
		l.Index = i
		e := v.Expect(l)
		c.Least += float64(e.Total-e.Spread) / full
		c.Most += float64(e.Most()) / full
	}
	return c
}

// paper is the paper's link or name, "none" where there is none.
func (c Policy) paper() string {
	switch {
	case c.Link != "":
		return c.Link
	case c.Paper == "":
		return "none"
	}
	return c.Paper
}

// defaults lists the parameters' defaults, as "w=32 k=7", and last the policy that it is built
// on.
func (c Policy) defaults() string {
	var parts []string
	for _, p := range c.Parameters {
		parts = append(parts, p.Name+"="+p.Default)
	}
	if len(parts) == 0 && c.BuiltOn == "" {
		return "none"
	}
	if c.BuiltOn != "" {
		parts = append(parts, c.BuiltOn)
	}
	return strings.Join(parts, " ")
}

// share is the size as text: "0.25", or "0.25 to 0.3".
func (c Cache) share() string {
	least, most := fmt.Sprintf("%.3g", c.Least), fmt.Sprintf("%.3g", c.Most)
	if least == most {
		return most
	}
	return least + " to " + most
}

// values says what a parameter may be, as "odd, 1 or more".
func (p Parameter) values() string {
	switch {
	case p.Allowed != nil:
		return strings.Join(p.Allowed, ", ")
	case p.Most != nil:
		return fmt.Sprintf("%s, %g to %g", p.Kind, *p.Least, *p.Most)
	}
	return fmt.Sprintf("%s, %g or more", p.Kind, *p.Least)
}
