package commands

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/snapbench/snapbench/inputs/lookup"
	"github.com/snapbench/snapbench/runners"
)

// Group makes a command that only holds other commands. By itself it prints its help; an
// unknown command is a usage error.
func Group(cmd *cobra.Command, commands ...*cobra.Command) *cobra.Command {
	cmd.AddCommand(commands...)
	cmd.Args = func(_ *cobra.Command, args []string) error {
		if len(args) > 0 {
			return unknownCommand(cmd, args[0])
		}
		return nil
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	cmd.DisableFlagsInUseLine = true
	return cmd
}

// unknownCommand is the usage error for a name that is no command of cmd; it lists those that are.
func unknownCommand(cmd *cobra.Command, name string) error {
	var names []string
	for _, c := range cmd.Commands() {
		names = append(names, c.Name())
	}
	if names == nil {
		names = []string{"none"}
	}
	return runners.Mistake(fmt.Errorf("unknown command %q: %s%s has %s", name, lookup.Offer(name, names), cmd.Name(), strings.Join(names, ", ")))
}

// AddLibrary adds cobra's own help and completion, except that an unknown name is
// a usage error, here and of root itself. All commands then refuse empty values, and name the
// flag in mistakes about its value.
func AddLibrary(root *cobra.Command) {
	Group(root)
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		switch c.Name() {
		case "completion":
			Group(c)
		case "help":
			c.Run, c.RunE = nil, func(_ *cobra.Command, args []string) error {
				cmd, rest, err := root.Find(args)
				if err != nil {
					return unknownCommand(root, args[0])
				}
				if len(rest) > 0 {
					return unknownCommand(cmd, rest[0])
				}
				return cmd.Help()
			}
		}
	}
	holdValues(root)
}
