package commands

import (
	"strings"

	"github.com/spf13/cobra"
)

// Completions are what shells complete.
type Completions struct {
	Flags     map[string][]string // a flag's values, by the flag's name, whatever command has it
	Arguments map[string][]string // a command's first argument, by the command's names, as "metrics show"
}

// Register lets shells complete the flags and arguments of all commands.
func (c Completions) Register(root *cobra.Command) {
	c.visit(root, "")
}

func (c Completions) visit(cmd *cobra.Command, names string) {
	for name, list := range c.Flags {
		if cmd.Flags().Lookup(name) != nil {
			// Only a flag that completes something already is an error, and stays as it is.
			_ = cmd.RegisterFlagCompletionFunc(name, Last(",", list, cobra.ShellCompDirectiveDefault))
		}
	}
	if list, ok := c.Arguments[names]; ok {
		cmd.ValidArgsFunction = first(list)
	}
	for _, sub := range cmd.Commands() {
		c.visit(sub, strings.TrimSpace(names+" "+sub.Name()))
	}
}

// Last completes what stands behind the last of some separators in what was typed, such as
// the last entry of a list.
func Last(separators string, names []string, directive cobra.ShellCompDirective) cobra.CompletionFunc {
	return func(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		before := typed[:strings.LastIndexAny(typed, separators)+1]
		var list []string
		for _, name := range names {
			list = append(list, before+name)
		}
		return list, directive
	}
}

// first completes a command's first argument, or the last entry of a list there.
func first(names []string) cobra.CompletionFunc {
	complete := Last(",", names, cobra.ShellCompDirectiveDefault)
	return func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveDefault
		}
		return complete(cmd, args, typed)
	}
}
