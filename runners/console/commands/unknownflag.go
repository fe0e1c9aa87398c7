package commands

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/snapbench/snapbench/inputs/lookup"
	"github.com/snapbench/snapbench/runners"
)

// FlagError is the usage error for flags that cannot be read. For one that does not exist it
// names the one that was meant, or where all are listed.
func FlagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return runners.Mistake(err)
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	if near := lookup.Nearest(unknown.GetSpecifiedName(), names); near != "" {
		return runners.Mistake(fmt.Errorf("%w: did you mean --%s?", err, near))
	}
	return runners.Mistake(fmt.Errorf("%w: %s --help lists those there are", err, cmd.CommandPath()))
}
