package compress

import (
	"errors"
	"fmt"
	"strings"

	"github.com/snapbench/snapbench/runners/engine/cacheformat"
)

// Variant is a policy with its parameters and its budget: one cell of a
// comparison. It is made by [Parse], [NewVariant] or a [Grid].
type Variant struct {
	method method
	budget Budget              // without values for a policy that has none
	format *cacheformat.Format // of the cache; nil for the device's own type
	fit    *fit                // of a budget in bytes, once a model is known
}

// method is a policy and how it is written.
type method struct {
	definition *Definition
	settings   []Setting // every parameter's canonical text
	inner      *method
	policy     Policy
	lengths    []int     // of per-layer lists, those of the inner policy included
	window     List[int] // its observation window, or that of the inner policy; nil without one
}

// Full is the cache nothing is dropped from.
var Full Variant

func init() {
	Register(Definition{
		Name: FullName, Title: "full cache", Help: "keeps everything: what the others are measured against",
		Unbudgeted: true,
		New:        func(Arguments) (Policy, error) { return full{}, nil },
	})
	var err error
	if Full, err = Parse(FullName); err != nil {
		panic(err)
	}
}

// Made returns a variant of a policy that no text describes, for tests and tools
// that bring a choice of their own.
func Made(name string, p Policy) Variant {
	return Variant{method: method{definition: &Definition{Name: name, Unbudgeted: true}, policy: p}}
}

// NewVariant makes a variant from a call and a budget's text. The budget may also
// stand in the call, as its argument cap.
func NewVariant(c Call, budget string) (Variant, error) {
	if text, ok := c.argument("cap"); ok {
		if budget != "" {
			return Variant{}, fmt.Errorf("%s: it has a capacity, and %s is asked besides", c, budget)
		}
		budget = text
	}
	m, err := newMethod(c)
	if err != nil {
		return Variant{}, err
	}
	v := Variant{method: m}
	if m.definition.Unbudgeted {
		if budget != "" {
			return Variant{}, fmt.Errorf("%s has no capacity", m.definition.Name)
		}
		return v, v.check()
	}
	if budget == "" {
		return Variant{}, errors.New("it has no capacity: add cap=1024")
	}
	if v.budget, err = ParseBudget(budget); err != nil {
		return Variant{}, err
	}
	return v, v.check()
}

func newMethod(c Call) (method, error) {
	d, err := Define(c.Name)
	if err != nil {
		return method{}, err
	}
	given := map[string]string{}
	for _, a := range c.Arguments {
		if a.Name != "cap" {
			given[a.Name] = a.Text
		}
	}
	m := method{definition: d}
	var a Arguments
	if a, m.settings, err = d.read(given); err != nil {
		return m, err
	}
	m.lengths = a.lengths
	switch {
	case d.Inner == "" && c.Inner != nil:
		return m, fmt.Errorf("policy %s is not built on another: %s has no place in it", d.Name, c.Inner.Name)
	case d.Inner != "":
		inner := Call{Name: d.Inner}
		if c.Inner != nil {
			inner = *c.Inner
		}
		if _, ok := inner.argument("cap"); ok {
			return m, fmt.Errorf("%s inside of %s has no capacity of its own", inner.Name, d.Name)
		}
		built, err := newMethod(inner)
		if err != nil {
			return m, err
		}
		m.inner, a.Inner, m.window = &built, built.policy, built.window
		m.lengths = append(m.lengths, built.lengths...)
	}
	if _, err := d.parameter(windowParameter.Name); err == nil {
		m.window = a.Whole(windowParameter.Name)
	}
	m.policy, err = d.New(a)
	return m, err
}

// Window is the observation window of a layer, in positions: the last ones of the prompt,
// which every head keeps whatever they score. It is 0 for a policy without one.
func (v Variant) Window(layer int) int {
	if v.method.window == nil {
		return 0
	}
	return v.method.window.At(layer)
}

// check reports lists of different lengths, and parameters that can't work with
// the budget whatever the prompt.
func (v Variant) check() error {
	layers := 1
	for _, n := range v.lengths() {
		if n != 1 && layers != 1 && n != layers {
			return fmt.Errorf("%s: one list has %d values, another %d", v, layers, n)
		}
		layers = max(layers, n)
	}
	for i := range layers {
		c := Capacity{}
		if !v.method.definition.Unbudgeted {
			if !v.budget.fixed(i) {
				continue // a share is checked against each prompt
			}
			c = v.budget.At(i, 0)
		}
		if err := v.method.policy.Check(Layer{Index: i, Layers: layers}, c); err != nil {
			return fmt.Errorf("%s: %w", v, err)
		}
	}
	return nil
}

// lengths returns the lengths of the per-layer lists, 1 for one value.
func (v Variant) lengths() []int {
	if v.method.definition.Unbudgeted {
		return v.method.lengths
	}
	return append([]int{len(v.budget.list)}, v.method.lengths...)
}

// Policy returns the policy's name, and of what it is built on: "ada(snapkv)"; and behind a
// plus the format of the cache, where one is asked for: "snapkv+q4_0".
func (v Variant) Policy() string { return v.method.name() + v.suffix() }

// Method is Policy without the cache's format.
func (v Variant) Method() string { return v.method.name() }

// Format returns how the cache stores what the policy keeps; nil for the device's own type.
func (v Variant) Format() *cacheformat.Format { return v.format }

// In returns the variant with its cache in a format, or with none for nil.
func (v Variant) In(f *cacheformat.Format) Variant {
	v.format = f
	return v
}

// Cache returns the name of the cache's format; "" for the device's own type.
func (v Variant) Cache() string { return strings.TrimPrefix(v.suffix(), "+") }

func (v Variant) suffix() string {
	if v.format == nil {
		return ""
	}
	return "+" + v.format.Name
}

// IsFull says whether the variant is the full cache.
func (v Variant) IsFull() bool { return v.Policy() == FullName }

func (m *method) name() string {
	if m.inner == nil {
		return m.definition.Name
	}
	return m.definition.Name + "(" + m.inner.name() + ")"
}

// Budget returns the budget as written, "full" where the policy has none.
func (v Variant) Budget() string {
	if v.method.definition.Unbudgeted {
		return FullName
	}
	return v.budget.String()
}

// Parameters returns every parameter's canonical text, those of the policy it is
// built on behind that one's name: "alpha", "snapkv.w".
func (v Variant) Parameters() []Setting {
	var list []Setting
	prefix := ""
	for m := &v.method; m != nil; m = m.inner {
		if m != &v.method {
			prefix += m.definition.Name + "."
		}
		for _, s := range m.settings {
			list = append(list, Setting{prefix + s.Name, s.Text})
		}
	}
	return list
}

// Params is Parameters as a map.
func (v Variant) Params() map[string]string {
	m := map[string]string{}
	for _, s := range v.Parameters() {
		m[s.Name] = s.Text
	}
	return m
}

// String returns the canonical form, which [Parse] reads:
// "snapkv(cap=1024,w=32,k=7,pool=max,gqa=kv_head_mean)+q4_0".
func (v Variant) String() string {
	budget := ""
	if !v.method.definition.Unbudgeted {
		budget = "cap=" + v.budget.String()
	}
	return v.method.text(budget) + v.suffix()
}

func (m *method) text(first string) string {
	var parts []string
	if first != "" {
		parts = append(parts, first)
	}
	for _, s := range m.settings {
		parts = append(parts, s.Name+"="+s.Text)
	}
	if m.inner != nil {
		parts = append(parts, m.inner.text(""))
	}
	if len(parts) == 0 {
		return m.definition.Name
	}
	return m.definition.Name + "(" + strings.Join(parts, ",") + ")"
}

// Parse reads one variant: "full" or "NAME(cap=…,…)", and behind it "+FORMAT" for a cache in a
// format.
func Parse(s string) (Variant, error) {
	text, name, formatted := s, "", false
	if i := strings.LastIndexByte(s, '+'); i > strings.LastIndexByte(s, ')') {
		text, name, formatted = s[:i], strings.TrimSpace(s[i+1:]), true
	}
	c, err := ParseCall(text)
	if err == nil {
		var v Variant
		if v, err = NewVariant(c, ""); err == nil && formatted {
			v.format, err = cacheformat.Get(name)
		}
		if err == nil {
			return v, nil
		}
	}
	return Variant{}, fmt.Errorf("variant %q: %w", strings.TrimSpace(s), err)
}

// ParseAll reads variants separated by semicolons; doubles are an error.
func ParseAll(s string) ([]Variant, error) {
	var all []Variant
	for part := range strings.SplitSeq(s, ";") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		v, err := Parse(part)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("no variants in %q", s)
	}
	return all, distinct(all)
}

func distinct(all []Variant) error {
	seen := map[string]bool{}
	for _, v := range all {
		if seen[v.String()] {
			return fmt.Errorf("variant %s is named twice", v)
		}
		seen[v.String()] = true
	}
	return nil
}
