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

// folder starts or continues the folder of a run, or of a part. A run that was begun in
// parts goes on as one part of one, which makes whatever is missing.
func (a *asking) folder(j *runners.Job, run results.Run) (*results.Journal, error) {
	if j.Part.IsZero() && parts.Has(a.run.out) {
		j.Part = parts.Part{Index: 0, Count: 1}
	}
	if j.Part.IsZero() {
		return results.Open(a.run.out, run)
	}
	if err := parts.CheckToken(a.run.out, os.LookupEnv); err != nil {
		return nil, err
	}
	attempt, err := parts.AttemptName(os.LookupEnv)
	if err != nil {
		return nil, usage(err)
	}
	return parts.Begin(a.run.out, j.Part, attempt, run)
}

// explainEnd words the ends of a run that are no failures: Ctrl-C, and a time limit, of
// which a job's script learns by the exit status whether to start the part again. It
// must not where the time was too short for a single sample.
func explainEnd(err error, enough <-chan struct{}, had, rows int) error {
	asked := false
	select {
	case <-enough:
		asked = true
	default:
	}
	switch canceled := errors.Is(err, context.Canceled); {
	case asked && (canceled || errors.Is(err, runners.ErrEnough)):
		if rows == had {
			return errors.New("asked to end before a single sample was answered: give the part more time")
		}
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
	folder, err := parts.Look(a.run.out)
	if err != nil {
		return err
	}
	if left := folder.Unfinished(p.Count); len(left) > 0 {
		progress.Say("part %s is done, with %d rows; %d of %d parts are not, and the last joins them", p, len(journal.Rows()), len(left), p.Count)
		return nil
	}
	err = join(cmd, progress, a.run.out, false, a.run.json)
	var shown *shownError
	if errors.As(err, &shown) {
		progress.Say("%v", err)
		return nil
	}
	return err
}

// shownError is what is wrong with a run that was joined and shown.
type shownError struct{ error }

func (e shownError) Unwrap() error { return e.error }

// join joins a run's parts and shows it.
func join(cmd *cobra.Command, progress *console.Progress, dir string, allowMissing, asJSON bool) error {
	joined, err := parts.Join(dir, allowMissing)
	if err != nil {
		return err
	}
	progress.Say("%s: %d rows joined from %d attempts at parts", dir, joined.Rows, joined.Attempts)
	for _, w := range joined.Warnings {
		progress.Say("%s", w)
	}
	if err := show(cmd.OutOrStdout(), progress, dir, asJSON); err != nil {
		return &shownError{err}
	}
	return nil
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
			return join(cmd, console.NewProgress(cmd.ErrOrStderr(), false), args[0], missing, asJSON)
		},
	}
	cmd.Flags().BoolVar(&missing, "allow-missing", false, "join what is there; every table then says how many rows are missing")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the summary as JSON")
	return cmd
}
