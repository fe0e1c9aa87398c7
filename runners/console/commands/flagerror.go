package commands

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/snapbench/snapbench/inputs/lookup"
	"github.com/snapbench/snapbench/runners"
)

// FlagError is the usage error for flags that cannot be read. For one that does not exist it
// names the one that was meant, or where all are listed; for a value it says what is wanted.
func FlagError(cmd *cobra.Command, err error) error {
	var invalid *pflag.InvalidValueError
	if errors.As(err, &invalid) {
		return runners.Mistake(fmt.Errorf("--%s %q: %s", invalid.GetFlag().Name, invalid.GetValue(), wanted(invalid)))
	}
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

// wanted says what a flag's value may be, where its type alone says it: the reasons of the
// standard library are about its own functions.
func wanted(invalid *pflag.InvalidValueError) string {
	if errors.Is(invalid, strconv.ErrRange) {
		return "out of range"
	}
	switch kind := invalid.GetFlag().Value.Type(); kind {
	case "bool":
		return "want true or false"
	case "float64":
		return "want a number"
	case "int", "int64":
		return "want a whole number"
	case "uint", "uint64":
		return "want a whole number, 0 or more"
	case "duration":
		return "want a time, as 90s, 10m or 2h"
	}
	return invalid.Unwrap().Error()
}
