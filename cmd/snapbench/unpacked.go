package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/snapbench/snapbench/bounds"
	"github.com/snapbench/snapbench/runners/console/commands"
)

// registerUnpacked adds the flag, for every command, that limits what a packed file may
// unpack to.
func registerUnpacked(root *cobra.Command) {
	bounds.SetUnpacked(0)
	root.PersistentFlags().Var(&commands.Size{Took: bounds.SetUnpacked}, strings.TrimPrefix(bounds.UnpackedFlag, "--"),
		"most that one packed file (.gz, .zip, .parquet) may unpack to, such as 4GiB (default 64 MiB, or 100 times its size up to 1 GiB)")
}
