package commands

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/snapbench/snapbench/inputs/lookup"
	"github.com/snapbench/snapbench/runners"
)

// mayBeEmpty are flags that have an empty value where there is nothing to name: beside a CI
// service GITHUB_STEP_SUMMARY is no file.
var mayBeEmpty = map[string]bool{"markdown": true}

// holdValues makes a command, and those below it, refuse a flag that was given an empty value,
// and name the flag in every mistake about its value.
func holdValues(cmd *cobra.Command) {
	if args := cmd.Args; cmd.RunE != nil {
		cmd.Args = func(cmd *cobra.Command, given []string) error {
			if err := noEmptyValues(cmd); err != nil || args == nil {
				return err
			}
			return args(cmd, given)
		}
		run := cmd.RunE
		cmd.RunE = func(cmd *cobra.Command, given []string) error { return nameFlag(cmd, run(cmd, given)) }
	}
	for _, c := range cmd.Commands() {
		holdValues(c)
	}
}

// noEmptyValues refuses a flag that was given an empty value, as by a variable that is not set.
// Its default instead would be another question than was asked.
func noEmptyValues(cmd *cobra.Command) (err error) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Changed && f.Value.String() == "" && !isList(f) && !mayBeEmpty[f.Name] && err == nil {
			err = runners.Mistake(fmt.Errorf("--%s \"\": an empty value: give one, or leave the flag away", f.Name))
		}
	})
	return err
}

func isList(f *pflag.Flag) bool {
	_, ok := f.Value.(pflag.SliceValue)
	return ok
}

// nameFlag puts the flag's name before a mistake, or an error of opening a file, that quotes the
// value, or one of the values, of one flag and names none. Who reads a value need not know where
// it came from. Of a file that is not there it offers one that is.
func nameFlag(cmd *cobra.Command, err error) error {
	var mistake *runners.MistakeError
	var file *fs.PathError
	if !errors.As(err, &mistake) && !errors.As(err, &file) || strings.Contains(err.Error(), "--") {
		return err
	}
	var named []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Changed && quotes(err.Error(), f) {
			named = append(named, f.Name)
		}
	})
	if len(named) != 1 {
		return err
	}
	if file != nil && errors.Is(err, fs.ErrNotExist) && !strings.Contains(err.Error(), "did you mean") {
		if near := lookup.NearPath(file.Path); near != "" {
			return fmt.Errorf("--%s: %w: did you mean %s?", named[0], err, near)
		}
	}
	return fmt.Errorf("--%s: %w", named[0], err)
}

// quotes says whether a text quotes what a flag was given, or has it as the name of a file.
func quotes(text string, f *pflag.Flag) bool {
	values := []string{f.Value.String()}
	if list, ok := f.Value.(pflag.SliceValue); ok {
		values = Trimmed(list.GetSlice())
	}
	for _, v := range values {
		if strings.Contains(text, strconv.Quote(v)) || v != "" && strings.Contains(text, " "+v+": ") {
			return true
		}
	}
	return false
}
