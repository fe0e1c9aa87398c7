package main

import (
	"github.com/spf13/cobra"

	"github.com/snapbench/snapbench/runners/console/commands"
	"github.com/snapbench/snapbench/runners/local"
)

func newDoctor() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "doctor",
		Short:   "What this machine can do, and what is missing",
		Example: "  snapbench doctor\n  snapbench doctor --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d, err := local.Examine(commands.Version())
			if err != nil {
				return err
			}
			return commands.Tell(cmd, asJSON, d)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
