package outcome

import (
	"fmt"
	"io"

	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/runners/console"
)

// Tables prints the tables of results, fitted to the width of the terminal.
func Tables(w io.Writer, set results.Set) error {
	title := ""
	for _, s := range results.Sections(set) {
		if s.Grid.Title != title && s.Grid.Title != "" {
			title = s.Grid.Title
			fmt.Fprintf(w, "%s\n\n", title)
		}
		if _, err := fmt.Fprintf(console.Bare(w), "%s\n%s\n", s.Heading, s.Grid.Text(console.Width(w))); err != nil {
			return err
		}
	}
	return nil
}
