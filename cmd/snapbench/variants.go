package main

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners/console/commands"
)

// variantFlags say which variants are compared: by policies, budgets, and a flag for every
// parameter that a policy wants one for; or one by one.
type variantFlags struct {
	compress.Asked
	policies   compress.CallList
	parameters map[string]*[]string // by flag
}

func (f *variantFlags) register(cmd *cobra.Command) {
	s := cmd.Flags()
	f.policies.List = []string{"snapkv"}
	s.Var(&f.policies, "policies", "policies, with what differs from their defaults: 'snapkv,h2o,ada(snapkv(k=5))'; snapbench policies lists them")
	if err := cmd.RegisterFlagCompletionFunc("policies", commands.Last(",(", policyNames(), cobra.ShellCompDirectiveNoFileComp|cobra.ShellCompDirectiveNoSpace)); err != nil {
		panic(err) // the flag is there
	}
	s.Var(compress.NewValueList(&f.Budgets, "full", "1024"), "budgets", "budgets: full, tokens per head (512, 1k), shares of the prompt (25%), or one for each layer (64|64|128 or [64,64,128])")
	s.Var(compress.NewValueList(&f.Bytes), "bytes", "in place of budgets: bytes, as a share of the full cache's in 16 bits (25%) or those of so many tokens in 16 bits; each policy keeps the most that fits, in each format of --cache")
	s.Var(compress.NewValueList(&f.Caches), "cache", compress.CachesHelp())
	f.parameters = map[string]*[]string{}
	for _, p := range compress.Flags() {
		f.parameters[p.Name] = new([]string)
		s.Var(compress.NewValueList(f.parameters[p.Name]), p.Name, p.Help)
	}
	s.StringVar(&f.Variants, "variants", "", "variants one by one instead: 'full;snapkv(cap=1024,w=16);h2o(cap=1024)'")
	s.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		if name == "policy" {
			name = "policies"
		}
		return pflag.NormalizedName(name)
	})
}

// list returns the variants that the flags ask for.
func (f *variantFlags) list(cmd *cobra.Command) ([]compress.Variant, error) {
	if err := commands.NoEmptyLists(cmd); err != nil {
		return nil, usage(err)
	}
	f.Policies, f.Values = f.policies.List, map[string][]string{}
	for name, list := range f.parameters {
		f.Values[name] = *list
	}
	v, err := f.List(cmd.Flags().Changed)
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
		f.policies.List = []string{policy}
	}
	if !cmd.Flags().Changed("budgets") {
		f.Budgets = budgets
	}
}
