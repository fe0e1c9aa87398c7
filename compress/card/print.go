package card

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// PrintList prints a line for each policy.
func PrintList(w io.Writer, list []Policy) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "policy\ttitle\tparameters and their defaults\tpaper")
	for _, c := range list {
		title := c.Title
		if c.freesNothing() {
			title += " (frees nothing)"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", c.Name, title, c.defaults(), c.paper())
	}
	return table.Flush()
}

// Print prints everything about a policy.
func (c Policy) Print(w io.Writer) error {
	fmt.Fprintf(w, "%s: %s\n%s\npaper: %s\n", c.Name, c.Title, c.Help, c.paper())
	if c.BuiltOn != "" {
		fmt.Fprintf(w, "built on another policy: %s(%s) where none is named\n", c.Name, c.BuiltOn)
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\nparameter\tvalues\tdefault\tflag\twhat it is")
	if c.Budgeted {
		what := "each cache head keeps"
		if c.Reads {
			what = "each query head reads at a step"
		}
		fmt.Fprintf(table, "cap\ttokens, or a share of the prompt\t\t--budgets\tpositions that %s, everything included\n", what)
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
	if slices.ContainsFunc(c.Caches, func(cache Cache) bool { return strings.Contains(cache.share(), "to") }) {
		fmt.Fprintln(w, "Where two are given, it depends on the prompt.")
	}
	if i := slices.IndexFunc(c.Parameters, func(p Parameter) bool { return p.Flag == "" }); i >= 0 {
		p := c.Parameters[i]
		fmt.Fprintf(w, "A parameter without a flag is set where the policy is named: --policies '%s(%s=%s)'.\n", c.Name, p.Name, p.Default)
	}
	return nil
}
