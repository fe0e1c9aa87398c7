package commands

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// NoEmptyLists refuses a list flag that was given without a value. Taking the default
// instead, or measuring nothing, would not be what was asked for.
func NoEmptyLists(cmd *cobra.Command) (err error) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if list, ok := f.Value.(pflag.SliceValue); ok && f.Changed && len(list.GetSlice()) == 0 {
			err = fmt.Errorf("--%s: an empty list: want one value or more", f.Name)
		}
	})
	return err
}

// Trimmed returns a list's entries without space around them, as in 'full, 512'.
func Trimmed(list []string) []string {
	var out []string
	for _, s := range list {
		out = append(out, strings.TrimSpace(s))
	}
	return out
}
