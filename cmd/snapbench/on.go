package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/results/parts"
	"github.com/snapbench/snapbench/runners/cluster"
	"github.com/snapbench/snapbench/runners/console"
)

// placed is a run whose parts an engine places.
type placed struct {
	*asking
	engine   cluster.Engine
	work     cluster.Work
	dir      string // the run's folder here
	record   cluster.Record
	progress *console.Progress
}

// place submits a run's parts, or attaches to those that were submitted, follows them,
// and shows the run. It opens no model: the machine of a person who submits may have no
// card.
func (a *asking) place(cmd *cobra.Command, command string) error {
	if _, err := a.variants.list(cmd); err != nil && !a.server.asked() {
		return err
	}
	p, err := a.placing(cmd, command)
	if err != nil {
		return err
	}
	if a.cluster.print {
		for i := range p.work.Count {
			p.work.Parts = append(p.work.Parts, i)
		}
		text, err := p.engine.Render(p.work)
		if err != nil {
			return usage(err)
		}
		_, err = fmt.Fprint(cmd.OutOrStdout(), text)
		return err
	}
	defer p.progress.Close()
	if p.record, err = cluster.ReadRecord(p.dir); err != nil {
		return err
	}
	if err := p.same(); err != nil {
		return err
	}
	follower, err := p.submit(cmd.Context())
	if err != nil {
		return err
	}
	if last := p.record.Jobs; len(last) > 0 {
		for _, line := range p.engine.Advice(last[len(last)-1].ID, p.work) {
			p.progress.Say("  %s", line)
		}
	}
	if a.cluster.detach {
		p.progress.Say("not followed: the same command without --detach attaches")
		return nil
	}
	err = follower.Wait(cmd.Context())
	p.progress.Close()
	switch {
	case errors.Is(err, context.Canceled):
		return errors.New("not followed any more, and left running: the same command attaches")
	case err != nil:
		return err
	}
	return p.show(cmd, follower)
}

// placing opens the engine and says what it is to place.
func (a *asking) placing(cmd *cobra.Command, command string) (*placed, error) {
	engine, err := cluster.Open(a.cluster.on)
	if err != nil {
		return nil, usage(fmt.Errorf("--on: %w", err))
	}
	if a.run.date == "" && cmd.Flags().Lookup("date") != nil {
		// Parts that begin on either side of midnight must be told the same day.
		a.run.date = time.Now().Format(time.DateOnly)
	}
	arguments := partArguments(cmd, command, a.arguments)
	if a.run.out == "" {
		a.run.out = filepath.Join("runs", fmt.Sprintf("%s-%.6x", command, sha256.Sum256([]byte(strings.Join(arguments, "\x00")))))
	}
	if err := cluster.NoObjectStore(a.run.out); err != nil {
		return nil, usage(err)
	}
	if !cmd.Flags().Changed("date") {
		arguments = slices.Insert(arguments, 1, "--date="+a.run.date)
	}
	p := &placed{asking: a, engine: engine, progress: console.NewProgress(cmd.ErrOrStderr(), a.run.quiet)}
	if p.work, err = a.cluster.work(arguments, a.run.out); err != nil {
		return nil, usage(err)
	}
	p.dir = p.work.Out
	if placer, ok := engine.(cluster.Placer); ok {
		if err := placer.Place(p.dir, &p.work); err != nil {
			return nil, usage(err)
		}
	}
	p.work.Token = "" // known when the folder is there
	return p, nil
}

// same is an error where the folder's record is of another command. The day on which a
// run was begun is kept.
func (p *placed) same() error {
	if len(p.record.Jobs) == 0 {
		p.record = cluster.Record{Engine: p.asking.cluster.on, Arguments: p.work.Arguments}
		return nil
	}
	had := p.record.Arguments
	day := func(s string) bool { return strings.HasPrefix(s, "--date=") }
	dateless := func(list []string) []string { return slices.DeleteFunc(slices.Clone(list), day) }
	if p.record.Engine != p.asking.cluster.on || !slices.Equal(dateless(had), dateless(p.work.Arguments)) {
		return fmt.Errorf("%s was submitted by --on %s as\n  %s\nand this is --on %s with\n  %s\nchoose another folder, or give the same command to attach",
			p.dir, p.record.Engine, strings.Join(had, " "), p.asking.cluster.on, strings.Join(p.work.Arguments, " "))
	}
	p.work.Arguments = had
	return nil
}

// submit submits the parts that are neither live nor ended.
func (p *placed) submit(ctx context.Context) (*cluster.Follower, error) {
	f := &cluster.Follower{Engine: p.engine, Work: p.work, Dir: p.dir, Told: p.told}
	for _, j := range p.record.Jobs {
		if j.Count == p.work.Count {
			f.Jobs = append(f.Jobs, j)
			continue
		}
		others := cluster.Follower{Engine: p.engine, Work: p.work, Dir: p.dir, Jobs: []cluster.Job{j}}
		others.Work.Count = j.Count
		states, err := others.Live(ctx)
		if err != nil {
			return nil, err
		}
		for part, state := range states {
			if state.Live() {
				return nil, fmt.Errorf("%s: job %s is at work on it in %d parts (part %d is %s): attach to it by --shards %d, or stop it first:\n  %s",
					p.dir, j.ID, j.Count, part, state, j.Count, strings.Join(p.engine.Advice(j.ID, others.Work), "\n  "))
			}
		}
	}
	missing, live, err := f.Missing(ctx)
	if err != nil {
		return nil, err
	}
	if p.run.retry { // rows with errors are in parts that have ended
		missing = missing[:0]
		for i := range p.work.Count {
			if !live[i].Live() {
				missing = append(missing, i)
			}
		}
		p.work.Arguments = append(slices.Clone(p.work.Arguments), "--retry")
	}
	if len(missing) == 0 {
		p.progress.Say("%s: attached to what was submitted", p.dir)
		return f, nil
	}
	if p.work.Unseen {
		// What is submitted is recorded here, and what is joined is brought here.
		if err := os.MkdirAll(p.dir, 0o755); err != nil {
			return nil, results.Explain(p.dir, err)
		}
	} else {
		remarks, err := cluster.CheckFolder(p.dir)
		if err != nil {
			return nil, err
		}
		p.say(remarks)
		if p.work.Token, err = cluster.Token(p.dir); err != nil {
			return nil, err
		}
	}
	p.work.Parts = missing
	remarks, err := p.engine.Check(ctx, p.work)
	if err != nil {
		return nil, err
	}
	p.say(remarks)
	id, err := p.engine.Submit(ctx, p.work)
	if err != nil {
		return nil, err
	}
	job := cluster.Job{ID: id, Parts: missing, Count: p.work.Count, Submitted: time.Now().UTC().Truncate(time.Second)}
	p.record.Jobs = append(p.record.Jobs, job)
	if err := p.record.Write(p.dir); err != nil {
		return nil, fmt.Errorf("job %s is submitted, and cannot be attached to: %w", id, err)
	}
	p.progress.Say("%s: %d of %d parts submitted as %s", p.dir, len(missing), p.work.Count, id)
	f.Jobs = append(f.Jobs, job)
	f.Work = p.work
	return f, nil
}

func (p *placed) say(remarks []string) {
	for _, r := range remarks {
		p.progress.Say("%s", r)
	}
}

// told shows where the run is.
func (p *placed) told(s cluster.Status) {
	if s.Expected > 0 {
		p.progress.Count(s.Rows, s.Expected, s.String())
	} else {
		p.progress.Count(s.Ended, s.Parts, s.String())
	}
}

// show joins the run where its last part did not, and shows it.
func (p *placed) show(cmd *cobra.Command, f *cluster.Follower) error {
	if p.work.Unseen {
		fetcher, ok := p.engine.(cluster.Fetcher)
		if !ok {
			return fmt.Errorf("all parts have ended; this machine does not see %s: snapbench results show shows it where it is seen", p.work.Out)
		}
		err := fetcher.Fetch(cmd.Context(), f.Jobs[len(f.Jobs)-1].ID, f.Work, p.dir)
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("all parts have ended, and none has joined the run: snapbench results join %s says why where it is seen", p.work.Out)
		}
		if err != nil {
			return err
		}
		return show(cmd.OutOrStdout(), p.progress, p.dir, p.run.json)
	}
	folder, err := parts.Look(p.dir)
	if err != nil {
		return err
	}
	joined, err := parts.IsJoined(folder)
	if err != nil {
		return err
	}
	if joined {
		return show(cmd.OutOrStdout(), p.progress, p.dir, p.run.json)
	}
	return join(cmd, p.progress, p.dir, false, p.run.json)
}
