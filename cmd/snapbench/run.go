package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/results/parts"
	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/console"
	"github.com/snapbench/snapbench/runners/console/commands"
	"github.com/snapbench/snapbench/runners/local"
	"github.com/snapbench/snapbench/runners/outcome"
)

// ask puts tasks to a model: it opens both, answers every sample that has no finished row
// yet, and shows the results.
func (a *asking) ask(cmd *cobra.Command, command string, names []string, metric string) error {
	if a.run.date != "" {
		if _, err := runners.ParseDate(a.run.date); err != nil {
			return usage(fmt.Errorf("--date %w", err))
		}
	}
	if err := a.cluster.check(cmd); err != nil {
		return usage(err)
	}
	if a.cluster.On != "" {
		return a.place(cmd, command)
	}
	if a.server.asked() {
		if asked := a.options["convention"].values(); slices.Contains(names, "questions") && (len(asked) == 0 || slices.Contains(asked, "context")) {
			return usage(errors.New("a server does not compress a context apart from its question: ask one with --convention inside, or dialogue"))
		}
		return a.askServers(cmd, command, names, metric)
	}
	if err := a.server.alone(cmd); err != nil {
		return usage(err)
	}
	variants, err := a.variants.list(cmd)
	if err != nil {
		return err
	}
	tasks, options, err := a.open(cmd, names, metric)
	if err != nil {
		return err
	}
	part, err := a.run.part(cmd.ErrOrStderr())
	if err != nil {
		return usage(err)
	}
	if err := parts.CheckToken(a.run.out, os.LookupEnv); err != nil {
		return err
	}
	j := &runners.Job{Name: command, Tasks: tasks, Variants: runners.VariantsOf(variants), Part: part, Retry: a.run.retry,
		Settings: []string{"tokenizer=" + a.model.tokenizer}}
	if a.run.fidelity {
		if !slices.ContainsFunc(variants, compress.Variant.IsFull) {
			return usage(errors.New("--fidelity measures against the full cache: add full to the variants"))
		}
		j.Baseline = compress.Full
	}
	if a.run.evidence {
		j.Evidence = compress.Full
	}
	progress := console.NewProgress(cmd.ErrOrStderr(), a.run.quiet)
	defer progress.Close()
	m, err := local.Open(cmd.Context(), a.model.options(true), progress.Say)
	if err != nil {
		return err
	}
	defer m.Close()
	team := m.Runners()
	j.Reader, j.Stop, j.Subject, j.Ungraded, j.Variants = m.Reader(), m.Stop, m.Subject(), m.Random(), runners.VariantsOf(m.On(variants))
	if a.run.positions {
		j.Pieces = m.Pieces
	}
	if a.run.evidence && !slices.ContainsFunc(variants, compress.Variant.IsFull) {
		progress.Say("evidence: the full cache is run besides, for the attention of its answer; it gets no rows")
	}
	if err := j.Check(team); err != nil {
		return err
	}
	folder, err := a.folder()
	if err != nil {
		return usage(err)
	}
	journal, err := j.Begin(folder, team, options, m)
	if err != nil {
		return err
	}
	defer journal.Close()
	progress.Say("results in %s", journal.Dir())
	return a.finish(cmd, j, team, journal, progress)
}

// finish runs a job whose folder is open, and shows the results.
func (a *asking) finish(cmd *cobra.Command, j *runners.Job, team []runners.Runner, journal *results.Journal, progress *console.Progress) error {
	had := len(journal.Rows())
	enough, stop := runners.EnoughAsked()
	j.Enough = enough
	err := j.Run(cmd.Context(), team, journal, progress)
	asked := stop()
	if err != nil {
		return commands.End(err, asked, had, len(journal.Rows()), exitAgain)
	}
	progress.Close()
	if !j.Part.IsZero() {
		return a.finishPart(cmd, j.Part, journal, progress)
	}
	if err := journal.Finish(); err != nil {
		return err
	}
	return show(cmd.OutOrStdout(), progress, journal.Dir(), a.run.json)
}

// folder says where a job's rows go.
func (a *asking) folder() (runners.Folder, error) {
	attempt, err := parts.AttemptName(os.LookupEnv)
	return runners.Folder{Dir: a.run.out, Date: a.run.date, Command: commands.Line("snapbench"), Version: commands.Version(), Attempt: attempt}, err
}

// show shows a run whose rows are complete.
func show(w io.Writer, progress *console.Progress, dir string, asJSON bool) error {
	return outcome.Show(w, progress.Say, dir, asJSON)
}
