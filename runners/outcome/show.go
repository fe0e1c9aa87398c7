// Package outcome shows people what runs have come to: it reads their rows, prints their
// tables fitted to a terminal, draws their pictures, and says what is wrong with them.
package outcome

import (
	"fmt"
	"io"
	"path/filepath"

	"github.com/snapbench/snapbench/inputs"
	"github.com/snapbench/snapbench/plots"
	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/runners/scores"
)

// Say tells a person something beside a run's results, as [fmt.Printf] words it.
type Say func(format string, arguments ...any)

// Show prints the summary of the run in a folder, as tables or as JSON, and draws its
// pictures into that folder. It is an error where no row has a score, or where the
// baseline cannot be trusted.
func Show(w io.Writer, say Say, dir string, asJSON bool) error {
	set, err := results.Read(dir)
	if err != nil {
		return err
	}
	if err := summary(w, set, dir, asJSON); err != nil {
		return err
	}
	failed, first := results.Unscored(set.Rows)
	if failed == len(set.Rows) {
		return fmt.Errorf("none of %d rows could be scored; the first: %s", len(set.Rows), first)
	}
	if failed > 0 {
		say("%d of %d rows have an error and no score; the first: %s", failed, len(set.Rows), first)
	}
	sayNotes(say, set.Rows)
	files, err := plots.WriteRun(dir, set)
	if err != nil {
		return err
	}
	if len(files) > 0 {
		say("in %s: results.parquet, summary.md, summary.json and %d pictures, for example %s", dir, len(files), filepath.Base(files[len(files)-1]))
	}
	return results.CheckBaseline(set)
}

// summary prints the tables of a finished run, or its summary.json as it is.
func summary(w io.Writer, set results.Set, dir string, asJSON bool) error {
	if asJSON {
		data, err := inputs.ReadFile(filepath.Join(dir, "summary.json"))
		if err != nil {
			return err
		}
		_, err = w.Write(data)
		return err
	}
	if err := Tables(w, set); err != nil {
		return err
	}
	scores.PrintLengths(w, set.Rows)
	scores.PrintBenchmarks(w, set.Rows)
	return nil
}

// sayNotes says the most important remarks of rows, such as that a haystack starts over.
func sayNotes(say Say, rows []results.Row) {
	const most = 4
	notes := results.Notes(rows)
	for _, n := range notes[:min(most, len(notes))] {
		say("%d of %d rows: %s", n.Rows, len(rows), n.Text)
	}
	if more := len(notes) - most; more > 0 {
		say("and %d notes more, in the column note", more)
	}
}
