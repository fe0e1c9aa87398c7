package commands

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Given returns the flags that a command was given, by its user or by a preset, as another
// process takes them, except some. Of a list that a preset gave, pflag knows only that it
// changed ([Apply] replaces its values), so Visit would leave it out.
func Given(cmd *cobra.Command, except ...string) (list []string) {
	cmd.Flags().VisitAll(func(flag *pflag.Flag) {
		if !flag.Changed || slices.Contains(except, flag.Name) {
			return
		}
		values := []string{flag.Value.String()}
		if v, ok := flag.Value.(pflag.SliceValue); ok {
			if values = v.GetSlice(); flag.Value.Type() != "stringArray" {
				values = []string{strings.Join(values, ",")}
			}
		}
		for _, v := range values {
			list = append(list, "--"+flag.Name+"="+v)
		}
	})
	return list
}
