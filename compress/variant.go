package compress

import (
	"fmt"
	"slices"
	"strings"

	"github.com/snapbench/snapbench/runners/engine"
)

// Variant is a policy with its parameters and its budget: one cell of a
// comparison. The zero Variant is the full cache.
type Variant struct {
	policy Policy // nil: the full cache
	budget Budget
}

// Full is the cache nothing is dropped from.
var Full = Variant{}

// NewVariant joins a policy and a budget.
func NewVariant(p Policy, b Budget) (Variant, error) {
	v := Variant{p, b}
	layers := 1
	for _, n := range v.lists() {
		if n != 1 && layers != 1 && n != layers {
			return v, fmt.Errorf("%s: one list has %d values, another %d", v, layers, n)
		}
		layers = max(layers, n)
	}
	for l := range layers {
		a := b.list.At(l)
		if a.tokens == 0 {
			continue // a share is checked against each prompt
		}
		if err := p.Check(l, a.tokens); err != nil {
			return v, fmt.Errorf("%s: %w", v, err)
		}
	}
	return v, nil
}

// lists returns the lengths of the per-layer lists, 1 for one value.
func (v Variant) lists() []int {
	lengths := []int{len(v.budget.list)}
	if p, ok := v.policy.(interface{ lists() []int }); ok {
		lengths = append(lengths, p.lists()...)
	}
	return lengths
}

// IsFull reports whether the variant is the full cache.
func (v Variant) IsFull() bool { return v.policy == nil }

// Policy returns the policy's name, "full" for the full cache.
func (v Variant) Policy() string {
	if v.IsFull() {
		return "full"
	}
	return v.policy.Name()
}

// Budget returns the budget as written, "full" for the full cache.
func (v Variant) Budget() string {
	if v.IsFull() {
		return "full"
	}
	return v.budget.String()
}

// Parameter returns a parameter's canonical text, "" where the policy has none
// of that name.
func (v Variant) Parameter(name string) string {
	if !v.IsFull() {
		for _, p := range v.policy.Parameters() {
			if p.Name == name {
				return p.Text
			}
		}
	}
	return ""
}

// String returns the canonical form, which [Parse] reads:
// "snapkv(cap=1024,w=32,k=7,pool=max,gqa=query_head)".
func (v Variant) String() string {
	if v.IsFull() {
		return "full"
	}
	var s strings.Builder
	fmt.Fprintf(&s, "%s(cap=%s", v.policy.Name(), v.budget)
	for _, p := range v.policy.Parameters() {
		fmt.Fprintf(&s, ",%s=%s", p.Name, p.Text)
	}
	return s.String() + ")"
}

// Needs returns what prefill must hold ready for a prompt of n tokens in a model
// of so many layers: nothing where nothing will be dropped.
func (v Variant) Needs(layers, n int) Needs {
	var all Needs
	for i := range layers {
		all.Window = max(all.Window, v.needs(Layer{Index: i, Tokens: n}).Window)
	}
	return all
}

func (v Variant) needs(l Layer) Needs {
	if v.keepsAll(l) {
		return Needs{}
	}
	return v.policy.Needs(l.Index)
}

// CheckLayers reports a per-layer list whose length is not the model's.
func (v Variant) CheckLayers(layers int) error {
	if v.IsFull() {
		return nil
	}
	for _, n := range v.lists() {
		if n != 1 && n != layers {
			return fmt.Errorf("%s: a list has %d values, the model has %d layers", v, n, layers)
		}
	}
	return nil
}

// CheckPrompt reports a budget that cannot serve a prompt of n tokens: a share
// of it that the window alone would fill.
func (v Variant) CheckPrompt(layers, n int) error {
	for i := range layers {
		if v.keepsAll(Layer{Index: i, Tokens: n}) {
			continue
		}
		if err := v.policy.Check(i, v.budget.At(i, n)); err != nil {
			return fmt.Errorf("%s on a prompt of %d tokens: %w", v, n, err)
		}
	}
	return nil
}

// Capacity returns how many positions each head of a layer keeps of a prompt of
// n tokens: the budget, or n where the prompt is no longer than that.
func (v Variant) Capacity(layer, n int) int {
	if v.IsFull() {
		return n
	}
	return min(n, v.budget.At(layer, n))
}

// Expect says what the variant's cache of a layer must hold. Where nothing is
// dropped there is one copy per KV head, whatever the policy does otherwise.
func (v Variant) Expect(l Layer) Expectation {
	if v.keepsAll(l) {
		return Expectation{Heads: l.Heads.KV, PerHead: l.Tokens, Total: l.Heads.KV * l.Tokens, Tail: l.Tokens}
	}
	return v.policy.Expect(l, v.budget.At(l.Index, l.Tokens))
}

// keepsAll: a prompt below the budget loses nothing (SnapKV's own rule; a
// prompt exactly as long runs through, and keeps everything too).
func (v Variant) keepsAll(l Layer) bool {
	return v.IsFull() || l.Tokens < v.budget.At(l.Index, l.Tokens)
}

// KeepsAll reports whether the variant drops nothing of a prompt of n tokens in
// any of the layers.
func (v Variant) KeepsAll(layers, n int) bool {
	for i := range layers {
		if v.Capacity(i, n) < n {
			return false
		}
	}
	return true
}

func (v Variant) keep(ops Ops, l Layer) (engine.Kept, error) {
	if v.keepsAll(l) {
		return ops.Everything(), nil
	}
	capacity := v.budget.At(l.Index, l.Tokens)
	if err := v.policy.Check(l.Index, capacity); err != nil {
		return engine.Kept{}, fmt.Errorf("%s on a prompt of %d tokens: %w", v, l.Tokens, err)
	}
	return v.policy.Keep(ops, l, capacity)
}

// Parse reads one variant: "full" or "NAME(cap=…,…)".
func Parse(s string) (Variant, error) {
	s = strings.TrimSpace(s)
	if s == "full" {
		return Full, nil
	}
	name, rest, ok := strings.Cut(s, "(")
	name = strings.TrimSpace(name)
	if !ok || !strings.HasSuffix(rest, ")") {
		if !slices.Contains(Names(), name) {
			return Variant{}, fmt.Errorf("unknown policy %q: have %s", name, strings.Join(Names(), ", "))
		}
		return Variant{}, fmt.Errorf("variant %q: want NAME(cap=…,…), for example snapkv(cap=1024,w=32,k=7,pool=max)", s)
	}
	arguments := map[string]string{}
	for _, part := range strings.Split(strings.TrimSuffix(rest, ")"), ",") {
		key, value, ok := strings.Cut(part, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		if !ok || key == "" || value == "" {
			return Variant{}, fmt.Errorf("variant %q: %q is not name=value", s, part)
		}
		if _, twice := arguments[key]; twice {
			return Variant{}, fmt.Errorf("variant %q: %s is given twice", s, key)
		}
		arguments[key] = value
	}
	if name == "full" {
		return Variant{}, fmt.Errorf("variant %q: full has no parameters", s)
	}
	capacity, ok := arguments["cap"]
	delete(arguments, "cap")
	p, err := Open(name, arguments)
	if err != nil {
		return Variant{}, fmt.Errorf("variant %q: %w", s, err)
	}
	if !ok {
		return Variant{}, fmt.Errorf("variant %q: it has no capacity: add cap=1024", s)
	}
	b, err := ParseBudget(capacity)
	if err != nil {
		return Variant{}, fmt.Errorf("variant %q: %w", s, err)
	}
	return NewVariant(p, b)
}

// ParseAll reads variants separated by semicolons; doubles are an error.
func ParseAll(s string) ([]Variant, error) {
	var all []Variant
	seen := map[string]bool{}
	for _, part := range strings.Split(s, ";") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		v, err := Parse(part)
		if err != nil {
			return nil, err
		}
		if seen[v.String()] {
			return nil, fmt.Errorf("variant %s is named twice", v)
		}
		seen[v.String()] = true
		all = append(all, v)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("no variants in %q", s)
	}
	return all, nil
}

// Grid is a product of parameters' texts.
type Grid struct {
	Policy  string
	Budgets []string // "full" appears once, whatever the other parameters
	// Parameters to vary, by the policy's names: {"k", {"5", "7"}}.
	Axes []Axis
}

// Axis is one parameter's values.
type Axis struct {
	Name   string
	Values []string
}

// Variants returns the product, the full cache first where it was asked for,
// then by budget and the axes in their order.
func (g Grid) Variants() ([]Variant, error) {
	var texts []string
	for _, b := range g.Budgets {
		if b == "full" {
			texts = append([]string{"full"}, texts...)
			continue
		}
		cells := []string{fmt.Sprintf("%s(cap=%s", g.Policy, b)}
		for _, axis := range g.Axes {
			var next []string
			for _, c := range cells {
				for _, value := range axis.Values {
					next = append(next, c+","+axis.Name+"="+value)
				}
			}
			cells = next
		}
		for _, c := range cells {
			texts = append(texts, c+")")
		}
	}
	return ParseAll(strings.Join(texts, ";"))
}
