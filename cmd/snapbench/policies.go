package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/compress/card"
	"github.com/snapbench/snapbench/runners/console/commands"
)

func newPolicies() *cobra.Command {
	var asJSON bool
	cmd := commands.Group(&cobra.Command{
		Use:     "policies",
		Short:   "Policies: list them, show one's parameters, paper and what it frees",
		Example: "  snapbench policies\n  snapbench policies show snapkv\n  snapbench policies --json",
	}, newPoliciesShow())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		var list []card.Policy
		for _, d := range compress.Definitions() {
			list = append(list, card.Of(d))
		}
		w := cmd.OutOrStdout()
		if asJSON {
			return json.NewEncoder(w).Encode(list)
		}
		if err := card.PrintList(w, list); err != nil {
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
			return commands.Tell(cmd, asJSON, card.Of(d))
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// policyNames lists the policies, each with its title, as completion shows them.
func policyNames() []string {
	var list []string
	for _, d := range compress.Definitions() {
		list = append(list, d.Name+"\t"+d.Title)
	}
	return list
}
