package commands

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/snapbench/snapbench/runners"
)

// SayArguments has every command below root say what its arguments are where another number of them
// is given: cobra itself says only how many.
func SayArguments(root *cobra.Command) {
	for _, cmd := range root.Commands() {
		SayArguments(cmd)
		if check := cmd.Args; check != nil {
			cmd.Args = func(cmd *cobra.Command, given []string) error {
				err := check(cmd, given)
				if err == nil || !strings.Contains(err.Error(), "arg(s)") {
					return err
				}
				name := strings.TrimPrefix(cmd.CommandPath(), cmd.Root().Name()+" ")
				return runners.Mistake(fmt.Errorf("%s: %d given, want %s", name, len(given), cmd.Use))
			}
		}
	}
}
