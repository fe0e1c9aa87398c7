package results

import (
	"fmt"
	"io"
)

// PrintColumns writes a line for each column: name, type and meaning.
func PrintColumns(w io.Writer) error {
	for _, c := range Columns() {
		null := ""
		if c.Nullable {
			null = ", may be null"
		}
		if _, err := fmt.Fprintf(w, "%-22s %s%s: %s\n", c.Name, c.Type, null, c.Desc); err != nil {
			return err
		}
	}
	return nil
}
