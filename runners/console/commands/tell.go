package commands

import (
	"encoding/json"
	"io"

	"github.com/spf13/cobra"
)

// Printer is what a command shows to people.
type Printer interface{ Print(w io.Writer) error }

// Tell shows what a command was asked for on its standard output, as text or as JSON.
func Tell(cmd *cobra.Command, asJSON bool, what Printer) error {
	if asJSON {
		return json.NewEncoder(cmd.OutOrStdout()).Encode(what)
	}
	return what.Print(cmd.OutOrStdout())
}
