package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/snapbench/snapbench/compress"
)

// variantFlags say which variants are compared: by policies, budgets, and a flag for every
// parameter that a policy wants one for; or one by one.
type variantFlags struct {
	policies   callList
	budgets    []string
	variants   string
	parameters map[string]*[]string // by flag
}

func (f *variantFlags) register(cmd *cobra.Command) {
	s := cmd.Flags()
	f.policies.list = []string{"snapkv"}
	s.Var(&f.policies, "policies", "policies, with what differs from their defaults: 'snapkv,h2o,ada(snapkv(k=5))'; snapbench policies lists them")
	if err := cmd.RegisterFlagCompletionFunc("policies", completePolicies); err != nil {
		panic(err) // the flag is there
	}
	s.Var(newListFlag(&f.budgets, "full", "1024"), "budgets", "budgets: full, tokens per head (512, 1k), shares of the prompt (25%), or one for each layer (64|64|128 or [64,64,128])")
	f.parameters = map[string]*[]string{}
	for _, p := range compress.Flags() {
		f.parameters[p.Name] = new([]string)
		s.Var(newListFlag(f.parameters[p.Name]), p.Name, p.Help)
	}
	s.StringVar(&f.variants, "variants", "", "variants one by one instead: 'full;snapkv(cap=1024,w=16);h2o(cap=1024)'")
	s.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		if name == "policy" {
			name = "policies"
		}
		return pflag.NormalizedName(name)
	})
}

// list returns the variants: those named one by one, or every combination of the other flags.
func (f *variantFlags) list(cmd *cobra.Command) ([]compress.Variant, error) {
	if err := noEmptyLists(cmd); err != nil {
		return nil, usage(err)
	}
	var axes []compress.Axis
	for _, p := range compress.Flags() {
		if list := *f.parameters[p.Name]; len(list) > 0 {
			axes = append(axes, compress.Axis{Name: p.Parameter, Flag: "--" + p.Name, Values: trimmed(list)})
		}
	}
	if f.variants != "" {
		for _, name := range []string{"policies", "budgets"} {
			if cmd.Flags().Changed(name) {
				return nil, usage(fmt.Errorf("--variants and --%s exclude each other", name))
			}
		}
		if len(axes) > 0 {
			return nil, usage(fmt.Errorf("--variants and %s exclude each other", axes[0].Flag))
		}
		v, err := compress.ParseAll(f.variants)
		return v, usage(err)
	}
	g := compress.Grid{Budgets: trimmed(f.budgets), Axes: axes}
	for _, text := range f.policies.list {
		call, err := compress.ParseCall(text)
		if err != nil {
			return nil, usage(fmt.Errorf("--policies: %w", err))
		}
		g.Policies = append(g.Policies, call)
	}
	if len(g.Policies) == 1 && g.Policies[0].Name == compress.FullName {
		if cmd.Flags().Changed("budgets") {
			return nil, usage(fmt.Errorf("--policies full keeps everything: --budgets has no place beside it"))
		}
		g.Budgets = nil
	}
	v, err := g.Variants()
	return v, usage(err)
}

// adopt takes the policy and the budgets of a protocol where the user gave none.
func (f *variantFlags) adopt(cmd *cobra.Command, policy string, budgets []string) {
	if policy == "" {
		return
	}
	asked := cmd.Flags().Changed("policies")
	for name := range f.parameters {
		asked = asked || cmd.Flags().Changed(name)
	}
	if !asked {
		f.policies.list = []string{policy}
	}
	if !cmd.Flags().Changed("budgets") {
		f.budgets = budgets
	}
}

// isFull says whether a variant is the full cache.
func isFull(v compress.Variant) bool { return v.Policy() == compress.FullName }

func trimmed(list []string) []string {
	var out []string
	for _, s := range list {
		out = append(out, strings.TrimSpace(s)) // as in 'full, 512'
	}
	return out
}

// callList is the value of a flag that lists policies. Commas within parentheses do not
// separate entries.
type callList struct {
	list    []string
	changed bool
}

func (l *callList) String() string { return strings.Join(l.list, ",") }
func (l *callList) Type() string   { return "policies" }

func (l *callList) Set(s string) error {
	if !l.changed {
		l.list, l.changed = nil, true
	}
	return l.Append(s)
}

func (l *callList) Append(s string) error {
	l.list = append(l.list, outside(s)...)
	return nil
}

func (l *callList) Replace(list []string) error {
	l.list, l.changed = outside(strings.Join(list, ",")), true
	return nil
}

func (l *callList) GetSlice() []string { return l.list }

// outside splits a text at commas that stand outside of parentheses, brackets and braces.
func outside(s string) []string {
	var parts []string
	depth, start := 0, 0
	for i, c := range s {
		switch c {
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			depth--
		case ',':
			if depth == 0 {
				parts, start = append(parts, s[start:i]), i+1
			}
		}
	}
	if parts = append(parts, s[start:]); len(parts) == 1 && strings.TrimSpace(s) == "" {
		return nil
	}
	return parts
}
