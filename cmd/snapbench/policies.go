package main

import (
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners/engine"
)

func newPolicies() *cobra.Command {
	var asJSON bool
	cmd := group(&cobra.Command{
		Use:     "policies",
		Short:   "Policies: list them, show one's parameters, paper and what it frees",
		Example: "  snapbench policies\n  snapbench policies show snapkv\n  snapbench policies --json",
	}, newPoliciesShow())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		var list []policyCard
		for _, d := range compress.Definitions() {
			list = append(list, cardOf(d))
		}
		w := cmd.OutOrStdout()
		if asJSON {
			return json.NewEncoder(w).Encode(list)
		}
		table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "policy\ttitle\tparameters and their defaults\tpaper")
		for _, c := range list {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", c.Name, c.Title, c.defaults(), c.paper())
		}
		if err := table.Flush(); err != nil {
			return err
		}
		fmt.Fprintln(w, "\nsnapbench policies show NAME says what a policy keeps, what each parameter means, and what it frees.")
		return nil
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func newPoliciesShow() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "show POLICY",
		Short:   "A policy's paper, parameters, and what it frees",
		Example: "  snapbench policies show snapkv\n  snapbench policies show random --json",
		Args:    cobra.ExactArgs(1),
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return policyNames(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := compress.Define(args[0])
			if err != nil {
				return usage(err)
			}
			if asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(cardOf(d))
			}
			return cardOf(d).print(cmd.OutOrStdout())
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// policyNames are the policies, each with its title, as completion shows them.
func policyNames() []string {
	var list []string
	for _, d := range compress.Definitions() {
		list = append(list, d.Name+"\t"+d.Title)
	}
	return list
}

// completePolicies completes the last policy of a list.
func completePolicies(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	before := typed[:strings.LastIndexAny(typed, ",(")+1]
	var list []string
	for _, name := range policyNames() {
		list = append(list, before+name)
	}
	return list, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}

// policyCard is what is said of a policy.
type policyCard struct {
	Name       string          `json:"policy"`
	Title      string          `json:"title"`
	Help       string          `json:"help"`
	Paper      string          `json:"paper,omitempty"`
	Link       string          `json:"link,omitempty"`
	BuiltOn    string          `json:"built_on,omitempty"`
	Budgeted   bool            `json:"has_budget"`
	Parameters []parameterCard `json:"parameters"`
	Caches     []cacheCard     `json:"caches"`
}

type parameterCard struct {
	Name    string   `json:"name"`
	Flag    string   `json:"flag,omitempty"`
	Kind    string   `json:"kind"`
	Default string   `json:"default"`
	Allowed []string `json:"allowed,omitempty"`
	Least   *float64 `json:"least,omitempty"`
	Most    *float64 `json:"most,omitempty"`
	Help    string   `json:"help"`
}

// cacheCard is what a policy's caches of the shown model hold, × full. The two differ
// where the prompt decides.
type cacheCard struct {
	Variant string  `json:"variant"`
	Least   float64 `json:"times_full_least"`
	Most    float64 `json:"times_full_most"`
	Error   string  `json:"error,omitempty"`
}

var arXiv = regexp.MustCompile(`^\d{4}\.\d{4,5}$`)

func cardOf(d *compress.Definition) policyCard {
	c := policyCard{Name: d.Name, Title: d.Title, Help: d.Help, Paper: d.Paper, BuiltOn: d.Inner, Budgeted: !d.Unbudgeted, Parameters: []parameterCard{}}
	if arXiv.MatchString(d.Paper) {
		c.Link = "https://arxiv.org/abs/" + d.Paper
	}
	for _, p := range d.Parameters {
		card := parameterCard{Name: p.Name, Flag: p.Flag, Kind: p.Kind.String(), Default: p.Default, Allowed: p.Allowed, Help: p.Help}
		if p.Kind != compress.Word {
			card.Least = &p.Least
		}
		if p.Most != 0 {
			card.Most = &p.Most
		}
		c.Parameters = append(c.Parameters, card)
	}
	c.Caches = cachesOf(d)
	return c
}

// shown is the model and the prompt that caches are counted for.
var shown = compress.Layer{Layers: 32, Tokens: 4096, Heads: engine.Heads{Query: 32, KV: 8, Size: 128}}

const (
	shownBudget = "25%"
	shownAs     = "of a prompt of 4096 tokens, in a model of 32 layers with 32 query and 8 KV heads"
)

// cachesOf counts what a policy's caches hold at its defaults, and at each word that
// changes it.
func cachesOf(d *compress.Definition) []cacheCard {
	plain := cacheOf(d)
	list := []cacheCard{plain}
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

func cacheOf(d *compress.Definition, settings ...compress.Setting) cacheCard {
	call, budget := compress.Call{Name: d.Name, Arguments: settings}, ""
	if !d.Unbudgeted {
		budget = shownBudget
		call.Arguments = append([]compress.Setting{{Name: "cap", Text: budget}}, settings...)
	}
	c := cacheCard{Variant: call.String()}
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

func (c policyCard) paper() string {
	switch {
	case c.Link != "":
		return c.Link
	case c.Paper == "":
		return "none"
	}
	return c.Paper
}

// defaults is "w=32 k=7", behind the policy it is built on.
func (c policyCard) defaults() string {
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

func (c policyCard) print(w io.Writer) error {
	fmt.Fprintf(w, "%s: %s\n%s\npaper: %s\n", c.Name, c.Title, c.Help, c.paper())
	if c.BuiltOn != "" {
		fmt.Fprintf(w, "built on another policy: %s(%s) where none is named\n", c.Name, c.BuiltOn)
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\nparameter\tvalues\tdefault\tflag\twhat it is")
	if c.Budgeted {
		fmt.Fprintln(table, "cap\ttokens, or a share of the prompt\t\t--budgets\tpositions that each cache head keeps, everything included")
	}
	for _, p := range c.Parameters {
		flag := ""
		if p.Flag != "" {
			flag = "--" + p.Flag
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", p.Name, p.values(), p.Default, flag, p.Help)
	}
	if len(c.Parameters) == 0 && !c.Budgeted {
		fmt.Fprintln(table, "none")
	}
	fmt.Fprintln(table, "\ncache, × full\tvariant")
	for _, cache := range c.Caches {
		if cache.Error != "" {
			fmt.Fprintf(table, "n/a\t%s: %s\n", cache.Variant, cache.Error)
			continue
		}
		fmt.Fprintf(table, "%s\t%s\n", cache.share(), cache.Variant)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(w, "(%s)\n", shownAs)
	if slices.ContainsFunc(c.Caches, func(cache cacheCard) bool { return strings.Contains(cache.share(), "to") }) {
		fmt.Fprintln(w, "Where two are given, it depends on the prompt.")
	}
	if i := slices.IndexFunc(c.Parameters, func(p parameterCard) bool { return p.Flag == "" }); i >= 0 {
		p := c.Parameters[i]
		fmt.Fprintf(w, "A parameter without a flag is set where the policy is named: --policies '%s(%s=%s)'.\n", c.Name, p.Name, p.Default)
	}
	return nil
}

func (c cacheCard) share() string {
	least, most := fmt.Sprintf("%.3g", c.Least), fmt.Sprintf("%.3g", c.Most)
	if least == most {
		return most
	}
	return least + " to " + most
}

// values says what a parameter may be: "odd, 1 or more".
func (p parameterCard) values() string {
	switch {
	case p.Allowed != nil:
		return strings.Join(p.Allowed, ", ")
	case p.Most != nil:
		return fmt.Sprintf("%s, %g to %g", p.Kind, *p.Least, *p.Most)
	}
	return fmt.Sprintf("%s, %g or more", p.Kind, *p.Least)
}
