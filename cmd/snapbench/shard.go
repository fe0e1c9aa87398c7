package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/results/parts"
	"github.com/snapbench/snapbench/runners/console"
)

// part returns the part that --shard asks for, the zero Part where it is not given.
func (f *runFlags) part(w io.Writer) (parts.Part, error) {
	p, how, err := parts.Find(f.shard, os.LookupEnv)
	if err != nil {
		return p, fmt.Errorf("--shard %w", err)
	}
	if how != "" && !f.quiet {
		fmt.Fprintf(w, "part %s, by %s\n", p, how)
	}
	return p, nil
}

// finishPart ends a part, and joins the run where it is the last. Its exit status says
// whether the part is done: an engine that starts failed parts again must not do so
// because of what the whole run shows.
func (a *asking) finishPart(cmd *cobra.Command, p parts.Part, journal *results.Journal, progress *console.Progress) error {
	if err := journal.FinishPart(); err != nil {
		return err
	}
	dir := parts.RunDir(journal.Dir())
	open, joined, err := parts.JoinLast(dir, p)
	if err != nil {
		return err
	}
	if open != nil {
		progress.Say("part %s is done, with %d rows; part %s is not, and the last joins them", p, len(journal.Rows()), open)
		return nil
	}
	console.Joined(progress.Say, dir, joined)
	if err := show(cmd.OutOrStdout(), progress, dir, a.run.json); err != nil {
		progress.Say("%v", err)
	}
	return nil
}
