package outcome

import (
	"fmt"
	"io"

	"github.com/snapbench/snapbench/results"
)

// Read reads results and joins them to one set. On w it says which are not finished.
func Read(w io.Writer, paths []string) (results.Set, error) {
	var sets []results.Set
	for _, p := range paths {
		s, err := results.Read(p)
		if err != nil {
			return results.Set{}, err
		}
		if s.Partial {
			fmt.Fprintf(w, "%s is not finished, it has %d rows so far: its command continues it\n", s.Name, len(s.Rows))
		}
		sets = append(sets, s)
	}
	if len(sets) == 1 {
		return sets[0], nil
	}
	return results.Merge(sets...)
}
