package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/results/parts"
	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/console"
	"github.com/snapbench/snapbench/runners/console/commands"
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

// explainEnd words the ends of a run that are no failures: Ctrl-C, and a time limit, of
// which a job's script learns by the exit status whether to start the part again. It
// must not where the time was too short for a single sample.
func explainEnd(err error, asked bool, had, rows int) error {
	canceled := errors.Is(err, context.Canceled)
	switch asked = asked && (canceled || errors.Is(err, runners.ErrEnough)); {
	case asked && rows == had:
		return errors.New("asked to end before a single sample was answered: give the part more time")
	case asked:
		return &commands.ExitError{Code: exitAgain, Err: fmt.Errorf("ended as asked with %d rows finished: the same command continues", rows)}
	case canceled:
		return fmt.Errorf("interrupted with %d rows finished: the same command continues", rows)
	}
	return err
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
	sayJoined(progress, dir, joined)
	if err := show(cmd.OutOrStdout(), progress, dir, a.run.json); err != nil {
		progress.Say("%v", err)
	}
	return nil
}

// sayJoined tells a person what a join made.
func sayJoined(progress *console.Progress, dir string, j parts.Joined) {
	progress.Say("%s: %d rows joined from %d attempts at parts", dir, j.Rows, j.Attempts)
	for _, w := range j.Warnings {
		progress.Say("%s", w)
	}
}
