package compress

import (
	"fmt"
	"slices"
	"strings"

	"github.com/snapbench/snapbench/runners/engine/cacheformat"
)

// Native is the name of the device's own type where formats of caches are listed.
const Native = "native"

// CacheFormats lists what --cache takes.
func CacheFormats() []string { return append(cacheformat.Names(), Native) }

// CachesHelp says which formats of caches may be listed.
func CachesHelp() string {
	return "formats of caches, each for every variant: " + strings.Join(cacheformat.Names(), ", ") + ", or " + Native + ", the device's own type, which is the default"
}

// Grid is a product of policies, budgets, parameters' values and formats of caches.
type Grid struct {
	Policies []Call
	Budgets  []string // "full" gives the full cache, once
	Axes     []Axis
	Formats  []*cacheformat.Format // nil among them is the device's own type; none: that alone
}

// Axis is one parameter's values, for every policy that has the parameter and is
// not called with a value for it.
type Axis struct {
	Name   string // the parameter's: "k"
	Flag   string // how the user asked for it, for errors: "--kernels"
	Values []string
}

// Variants returns the product: the full cache first where it was asked for, then
// by policy, budget and the axes in their order, each in every format. The full cache in the
// device's own type is what others are measured against: it is there wherever a full cache is
// asked for. An axis that no policy has is an error.
func (g Grid) Variants() ([]Variant, error) {
	var all []Variant
	budgets := slices.DeleteFunc(slices.Clone(g.Budgets), func(b string) bool { return b == FullName })
	whole := len(budgets) < len(g.Budgets) ||
		slices.ContainsFunc(g.Policies, func(c Call) bool { return c.Name == FullName })
	if whole {
		all = append(all, Full)
	}
	used := map[string]bool{}
	for _, call := range g.Policies {
		d, err := Define(call.Name)
		if err != nil {
			return nil, err
		}
		if call.Name == FullName {
			continue
		}
		cells := []Call{call}
		for _, axis := range g.Axes {
			var next []Call
			for _, cell := range cells {
				varied, ok := vary(cell, axis)
				used[axis.Name] = used[axis.Name] || ok
				next = append(next, varied...)
			}
			cells = next
		}
		own := budgets
		if _, fixed := call.argument("cap"); fixed || d.Unbudgeted {
			own = []string{""}
		}
		for _, b := range own {
			for _, cell := range cells {
				v, err := NewVariant(cell, b)
				if err != nil {
					return nil, err
				}
				all = append(all, v)
			}
		}
	}
	for _, axis := range g.Axes {
		if !used[axis.Name] && len(budgets) > 0 {
			return nil, fmt.Errorf("%s: none of the policies %s has the parameter %s", axis.Flag, names(g.Policies), axis.Name)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("no variants: the policies %s have no budget", names(g.Policies))
	}
	all = inFormats(all, g.Formats)
	return all, distinct(all)
}

// inFormats returns every variant in each of the formats, and the full cache as it is, too.
func inFormats(list []Variant, formats []*cacheformat.Format) []Variant {
	if len(formats) == 0 {
		return list
	}
	var all []Variant
	for _, v := range list {
		if v.IsFull() {
			all = append(all, v)
		}
		for _, f := range formats {
			if f != nil || !v.IsFull() {
				all = append(all, v.In(f))
			}
		}
	}
	return all
}

// vary returns a call for each of an axis's values, or the call itself where
// nothing in it takes them; ok says whether something could.
func vary(c Call, axis Axis) (cells []Call, ok bool) {
	d, err := Define(c.Name)
	if err != nil {
		return []Call{c}, false // NewVariant says so
	}
	if c.Inner == nil && d.Inner != "" {
		c.Inner = &Call{Name: d.Inner}
	}
	if _, err := d.parameter(axis.Name); err == nil {
		if _, given := c.argument(axis.Name); given {
			return []Call{c}, true
		}
		for _, v := range axis.Values {
			cells = append(cells, c.with(axis.Name, v))
		}
		return cells, true
	}
	if c.Inner == nil {
		return []Call{c}, false
	}
	inner, ok := vary(*c.Inner, axis)
	for i := range inner {
		next := c
		next.Inner = &inner[i]
		cells = append(cells, next)
	}
	return cells, ok
}

func names(calls []Call) string {
	var list []string
	for _, c := range calls {
		list = append(list, c.String())
	}
	return strings.Join(list, ", ")
}
