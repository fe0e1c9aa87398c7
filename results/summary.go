package results

import (
	"fmt"
	"io"
	"path/filepath"
)

func WriteSummary(dir string, run Run, rows []Row) error {
	for _, n := range []string{"summary.json", "summary.md"} {
		if err := writeAtomic(filepath.Join(dir, n), func(w io.Writer) error { _, err := fmt.Fprintln(w, len(rows)); return err }); err != nil {
			return err
		}
	}
	return nil
}
