package main

import (
	"github.com/spf13/cobra"

	"github.com/snapbench/snapbench/runners/console/commands"
	"github.com/snapbench/snapbench/runners/console/manual"
)

func newMan() *cobra.Command {
	return &cobra.Command{
		Use:     "man",
		Short:   "The help of all commands as one man page",
		Example: "  snapbench man | man -l -\n  snapbench man > /usr/local/share/man/man1/snapbench.1",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return manual.Write(cmd.OutOrStdout(), cmd.Root(), commands.Version())
		},
	}
}
