package runners

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/snapbench/snapbench/datasets"
	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/results/parts"
)

// Job is a question: samples, and the variants each is answered under.
type Job struct {
	Name     string // "needle", "longbench": part of the question
	Tasks    []datasets.Task
	Reader   datasets.Model             // turns samples into prompts
	Stop     func(datasets.Sample) Stop // where an answer ends
	Variants []Variant
	// Baseline is what fidelity is measured against; nil: it is not measured.
	Baseline Variant
	// Evidence is the variant whose answer's attention says what the others should have kept; nil: passages are not
	// audited.
	Evidence Variant
	// Part is which samples are answered; the zero value is all of them.
	Part parts.Part
	// Enough, where it is closed, ends the run when what the runners have in hand is
	// answered and written: Run returns ErrEnough.
	Enough <-chan struct{}
	// Pieces returns the texts of a prompt's tokens; where it is set, the positions that
	// caches kept are stored beside the rows, which are the same without.
	Pieces func(ids []int32) []string
	// Ungraded says that no answer is held to the sample's own: rows have the metric none and no score.
	Ungraded bool
	// Retry runs samples again whose rows have an error.
	Retry bool
	// Subject is what the rows are about; Device is the kinds of all the runners'
	// devices.
	Subject results.Subject
	// Date is the day that the model's chat template sees as today, as 2026-01-02;
	// empty where it does not ask.
	Date string
	// Settings are whatever else decides an answer, each as "name=value".
	Settings []string
}

// ErrEnough says that a run was asked to end before its last sample.
var ErrEnough = errors.New("the run was asked to end, and did so at a sample's end")

// ErrGone is, in a sample's error, that whoever makes prompts can be asked nothing any more. It says nothing of
// the sample: the run ends, and the sample has no row.
var ErrGone = errors.New("whoever makes prompts is gone")

// Watch is told how a job goes on.
type Watch interface {
	// Plan is told the work ahead, once, in its order, with what each sample is estimated to cost.
	Plan(ahead []Place)
	// Within returns what is told where a sample is.
	Within(task, sample string) func(Progress)
	// Finished is told that a sample's rows are written, and what its answers took.
	Finished(task datasets.Task, number int, spent Spent)
	// Say is told a line for the user.
	Say(format string, arguments ...any)
}

// Run answers every sample that has no finished row yet. Several runners share the
// samples: each takes the next when it has room, and which of them answers one
// decides nothing, as long as they are alike. What is finished is in the journal,
// whatever ends the run.
func (j *Job) Run(ctx context.Context, team []Runner, journal *results.Journal, watch Watch) error {
	positions, err := j.keep(journal.Dir())
	if err != nil {
		return err
	}
	defer positions.close()
	p := j.plan(ctx, team, journal, watch)
	defer p.close()
	p.positions = positions
	var wait sync.WaitGroup
	start := time.Now()
	for _, r := range team {
		wait.Go(func() {
			d := p.desk(ctx, r)
			if err := r.Run(ctx, d); err != nil {
				p.fail(ctx, r, err)
			}
			d.close()
		})
	}
	wait.Wait()
	p.sum(len(team), time.Since(start))
	if p.err == nil && p.ended {
		p.err = ErrEnough
	}
	return p.err
}

// answered grades what came back.
func (a *asked) answered(about Description, all []Completion) error {
	completions := all
	if a.hidden {
		completions = completions[1:]
	}
	for k := range a.rows {
		a.rows[k].Device = about.Device // which of several it was plays no part in the row's identity
		if a.rows[k].Revision == "" {   // nor does what a server says it is, which is known late
			a.rows[k].Revision = about.Revision
		}
		a.untrusted = a.untrusted || completions[k].Untrusted
		if err := a.graded(grade(&a.rows[k], a.sample, completions[k])); err != nil {
			return err
		}
		if a.request.Evidence != nil {
			a.request.Evidence.told(&a.rows[k], completions[k].Evidence)
		}
		if err := a.keep(a.rows[k].ID, completions[k]); err != nil {
			return err
		}
		completions[k].Positions = nil // those of a large grid take more memory than its caches
	}
	return a.label(all)
}
