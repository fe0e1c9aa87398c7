package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/snapbench/snapbench/bounds"
	"github.com/snapbench/snapbench/results/gate"
)

// registerUnpacked adds the flag, for every command, that limits what a packed file may
// unpack to.
func registerUnpacked(root *cobra.Command) {
	bounds.SetUnpacked(0)
	root.PersistentFlags().Var(&unpackedFlag{}, strings.TrimPrefix(bounds.UnpackedFlag, "--"),
		"most that one packed file (.gz, .zip, .parquet) may unpack to, such as 4GiB (default 64 MiB, or 100 times its size up to 1 GiB)")
}

// unpackedFlag is the flag's value. Setting it sets the limit of package bounds.
type unpackedFlag struct{ text string }

func (f *unpackedFlag) Set(s string) error {
	size, err := gate.ParseSize(s)
	if err != nil || size.Bytes < 1 || size.Bytes > 1<<62 {
		return fmt.Errorf("want a size, such as 4GiB or 800MiB")
	}
	f.text = s
	bounds.SetUnpacked(int64(size.Bytes))
	return nil
}

func (f *unpackedFlag) String() string { return f.text }
func (f *unpackedFlag) Type() string   { return "size" }
