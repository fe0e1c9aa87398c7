package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/datasets"
	"github.com/snapbench/snapbench/inputs"
	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/local"
	"github.com/snapbench/snapbench/runners/server"
)

// ask asks tasks of a model: it opens both, answers what has no finished row yet, and
// shows what came of it.
func (a *asking) ask(cmd *cobra.Command, command string, names []string, metric string) error {
	if a.run.date != "" {
		if _, err := parseDate(a.run.date); err != nil {
			return usage(err)
		}
	}
	if a.server.asked() {
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
	j := &runners.Job{Name: command, Tasks: tasks, Variants: runners.VariantsOf(variants), Retry: a.run.retry,
		Settings: []string{"tokenizer=" + a.model.tokenizer}}
	if a.run.fidelity {
		if !slices.ContainsFunc(variants, isFull) {
			return usage(errors.New("--fidelity measures against the full cache: add full to the variants"))
		}
		j.Baseline = compress.Full
	}
	progress := newProgress(cmd.ErrOrStderr(), a.run.quiet)
	defer progress.close()
	m, err := local.Open(cmd.Context(), a.model.options(true), progress.Say)
	if err != nil {
		return err
	}
	defer m.Close()
	team := m.Runners()
	j.Reader, j.Stop, j.Subject = m.Reader(), m.Stop, m.Subject()
	if err := j.Check(team); err != nil {
		return err
	}
	journal, err := a.journal(j, team, options, m)
	if err != nil {
		return err
	}
	defer journal.Close()
	progress.Say("results in %s", journal.Dir())

	if err := j.Run(cmd.Context(), team, journal, progress); err != nil {
		if errors.Is(err, context.Canceled) {
			return fmt.Errorf("interrupted with %d rows finished: the same command continues", len(journal.Rows()))
		}
		return err
	}
	progress.close()
	if err := journal.Finish(); err != nil {
		return err
	}
	return a.show(cmd.OutOrStdout(), progress, journal.Dir())
}

// calendar is a chat template that may ask for the day.
type calendar interface {
	UsesDate() bool
	SetToday(day time.Time)
}

// journal starts or continues the folder of a job.
func (a *asking) journal(j *runners.Job, team []runners.Runner, options []datasets.Options, chat calendar) (*results.Journal, error) {
	if chat.UsesDate() {
		j.Date = a.run.date
	}
	run, err := j.Describe(team, options)
	if err != nil {
		return nil, err
	}
	if a.run.out == "" { // the same for the same command, on any day
		a.run.out = filepath.Join("runs", fmt.Sprintf("%s-%.6x", j.Name, sha256.Sum256(run.Question)))
	}
	if chat.UsesDate() {
		j.Date = dateOf(a.run.date, a.run.out)
		today, err := parseDate(j.Date)
		if err != nil {
			return nil, fmt.Errorf("%s: run.json: %w", a.run.out, err)
		}
		chat.SetToday(today)
		if run, err = j.Describe(team, options); err != nil {
			return nil, err
		}
	}
	run.Command, run.Version = commandLine(), version()
	if first := j.Variants[0]; first.Policy() == server.Policy {
		run.Baseline = first.String()
	}
	for _, t := range j.Tasks {
		if d, err := datasets.Define(t.Name()); err == nil && d.Family == "longbench" {
			run.Groups = longBenchGroups()
		}
	}
	return results.Open(a.run.out, run)
}

// show prints the summary and draws the pictures.
func (a *asking) show(w io.Writer, progress *progress, dir string) error {
	set, err := results.Read(dir)
	if err != nil {
		return err
	}
	if a.run.json {
		data, err := inputs.ReadFile(filepath.Join(dir, "summary.json"))
		if err != nil {
			return err
		}
		if _, err := w.Write(data); err != nil {
			return err
		}
	} else if err := printTables(w, set); err != nil {
		return err
	} else if err := printLengths(w, set); err != nil {
		return err
	}
	if err := scored(set.Rows, progress); err != nil {
		return err
	}
	files, err := pictures(set, dir)
	if err != nil {
		return err
	}
	if len(files) > 0 {
		progress.Say("in %s: results.parquet, summary.md, summary.json and %d pictures, for example %s", dir, len(files), filepath.Base(files[len(files)-1]))
	}
	return baselineFailed(set)
}

// failures counts the rows that have an error instead of a score, and says whose the
// first is.
func failures(rows []results.Row) (n int, first string) {
	for _, r := range rows {
		if r.Error == "" {
			continue
		}
		if n++; n == 1 {
			first = fmt.Sprintf("%s, %s, sample %s, %s: %s", r.Model, r.Task, r.Sample, r.Variant, r.Error)
		}
	}
	return n, first
}

// scored says how many rows have an error instead of a score; with nothing else
// the run has no result.
func scored(rows []results.Row, progress *progress) error {
	failed, first := failures(rows)
	if failed == len(rows) {
		return fmt.Errorf("none of %d rows could be scored; the first: %s", len(rows), first)
	}
	if failed > 0 {
		progress.Say("%d of %d rows have an error and no score; the first: %s", failed, len(rows), first)
	}
	noted(rows, progress)
	return nil
}

// baselineFailed is an error where the full cache, or the first of several servers,
// failed in every sample: there is nothing that the others' scores could be held to.
func baselineFailed(set results.Set) error {
	baseline := set.Run.BaselineOf(set.Rows)
	rows := slices.DeleteFunc(slices.Clone(set.Rows), func(r results.Row) bool { return r.Variant != baseline })
	if failed, first := failures(rows); failed > 0 && failed == len(rows) {
		name := "the full cache"
		if baseline != compress.Full.String() {
			name = baseline
		}
		return fmt.Errorf("%s failed in all of its %d samples, and nothing is left to hold the other variants to; the first: %s", name, failed, first)
	}
	return nil
}

// noted tells what rows say besides, such as a haystack that starts over.
func noted(rows []results.Row, progress *progress) {
	count := map[string]int{}
	var order []string
	for _, r := range rows {
		for _, note := range strings.Split(r.Note, "; ") {
			if note == "" {
				continue
			}
			if count[note]++; count[note] == 1 {
				order = append(order, note)
			}
		}
	}
	const most = 4
	for i, text := range order {
		if i == most {
			progress.Say("and %d notes more, in the column note", len(order)-most)
			break
		}
		progress.Say("%d of %d rows: %s", count[text], len(rows), text)
	}
}
