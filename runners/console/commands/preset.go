package commands

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/snapbench/snapbench/configs"
	"github.com/snapbench/snapbench/runners"
)

// Apply sets a command's flags from a preset. A list typed afterwards replaces the
// preset's.
func Apply(cmd *cobra.Command, p configs.Preset) error {
	for _, f := range p.Flags {
		flag := cmd.Flags().Lookup(f.Name)
		if flag == nil {
			return runners.Mistake(fmt.Errorf("%s:%d: %s has no flag %q", p.Source, f.Line, p.Command, f.Name))
		}
		var err error
		text := strings.Join(f.Values, ",")
		if list, ok := flag.Value.(pflag.SliceValue); ok {
			// After Set, a list typed by the user would be appended; after Replace it replaces.
			err, flag.Changed = list.Replace(strings.Split(text, ",")), true
		} else {
			err = cmd.Flags().Set(f.Name, text)
		}
		if err != nil {
			return runners.Mistake(fmt.Errorf("%s:%d: %s: %w", p.Source, f.Line, f.Name, err))
		}
	}
	return nil
}

// Default makes a preset that is inside the program the defaults of a command's flags, as
// its help shows them. None counts as given, so that one that is given changes what it names
// alone.
func Default(cmd *cobra.Command, preset string) {
	p, err := configs.Shipped(preset)
	if err != nil {
		panic(err) // it is inside the program
	}
	for _, f := range p.Flags {
		flag := cmd.Flags().Lookup(f.Name)
		if list, ok := flag.Value.(pflag.SliceValue); ok {
			err = list.Replace(f.Values) // a list typed by the user takes its place
		} else {
			err = flag.Value.Set(strings.Join(f.Values, ","))
		}
		if err != nil {
			panic(err)
		}
		flag.DefValue = flag.Value.String()
		flag.Usage = ownDefault.ReplaceAllString(flag.Usage, "")
	}
}

// ownDefault is the default that the help of a task's option ends with.
var ownDefault = regexp.MustCompile(` \(default [^()]*\)$`)
