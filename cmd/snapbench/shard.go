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
)

// part returns the part that --shard asks for, the zero Part where it is not given.
func (f *runFlags) part(w io.Writer) (p parts.Part, err error) {
	switch f.shard {
	case "":
		return p, nil
	case "auto":
		p, how, err := parts.Detect(os.LookupEnv)
		if err != nil {
			return p, fmt.Errorf("--shard auto: %w", err)
		}
		if !f.quiet {
			fmt.Fprintf(w, "part %s, by %s\n", p, how)
		}
		return p, nil
	}
	if p, err = parts.Parse(f.shard); err != nil {
		err = fmt.Errorf("--shard %w", err)
	}
	return p, err
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
		return &exitError{exitAgain, fmt.Errorf("ended as asked with %d rows finished: the same command continues", rows)}
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
	folder, err := parts.Look(dir)
	if err != nil {
		return err
	}
	if left := folder.Unfinished(p.Count); len(left) > 0 {
		progress.Say("part %s is done, with %d rows; %d of %d parts are not, and the last joins them", p, len(journal.Rows()), len(left), p.Count)
		return nil
	}
	joined, err := parts.Join(dir, false)
	if err != nil {
		return err
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

func newResultsJoin() *cobra.Command {
	var missing, asJSON bool
	cmd := &cobra.Command{
		Use:   "join RUN",
		Short: "One run of the parts that several processes made",
		Long: `Makes one run of the parts that --shard left in a folder. The part that ends last does
so by itself; by hand it is wanted where that one was killed just then, or where some
parts are not wanted any more (--allow-missing).

It refuses, and changes nothing, where rows are missing, and where two attempts at a
part answered the same question differently.`,
		Example: "  snapbench results join runs/lb",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			joined, err := parts.Join(args[0], missing)
			if err != nil {
				return err
			}
			progress := console.NewProgress(cmd.ErrOrStderr(), false)
			sayJoined(progress, args[0], joined)
			return show(cmd.OutOrStdout(), progress, args[0], asJSON)
		},
	}
	cmd.Flags().BoolVar(&missing, "allow-missing", false, "join what is there; every table then says how many rows are missing")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the summary as JSON")
	return cmd
}
