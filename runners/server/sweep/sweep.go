// Package sweep asks servers one after the other, each under another combination of
// settings: it starts a server, asks it everything that it has no row for yet, notes what
// the server bore, ends it, and goes on with the next. All are one run, whose rows are held
// to the first server's. One that cannot be asked does not keep the others from being
// asked.
package sweep

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/snapbench/snapbench/datasets"
	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/server"
	"github.com/snapbench/snapbench/runners/server/process"
)

// Sweep is tasks and the servers that are asked them.
type Sweep struct {
	Name     string // of the job
	Tasks    []datasets.Task
	Settings []Setting // at least one
	Retry    bool      // asks again what has an error

	// Command starts the server of a setting, which may take Startup until it answers.
	// Nil: the server at Server.URL runs already.
	Command *process.Template
	Startup time.Duration
	// Server is how each is asked. Its settings, and the address of one that is started at
	// a free port, come from the sweep.
	Server server.Options
	// Tokens names Server.Tokenizer; empty: there is none, and the servers count tokens.
	Tokens string
	// Fidelity leads every server along the first one's answers, or along those of the run
	// in the folder Along.
	Fidelity bool
	Along    string
}

// Job is what is asked: all tasks under all settings.
func (s *Sweep) Job() *runners.Job {
	j := &runners.Job{
		Name: s.Name, Tasks: s.Tasks, Variants: variantsOf(s.Settings), Retry: s.Retry,
		Subject: results.Subject{Model: s.Server.Model, Device: "server", DType: "as served"},
		Settings: []string{
			"tokenizer=" + cmp.Or(s.Tokens, "the server's"), fmt.Sprintf("concurrency=%d", s.Server.Concurrency), fmt.Sprintf("repeat=%v", s.Server.Repeat),
		},
	}
	if s.Command != nil {
		j.Settings = append(j.Settings, "serve="+s.Command.String())
	}
	if s.Fidelity {
		j.Settings = append(j.Settings, "fidelity=along "+cmp.Or(s.Along, "the first server"))
	}
	return j
}

// Check refuses what cannot be asked, and a command line, as typed, that holds the
// server's key: run.json keeps the line. It is called before anything is written.
func (s *Sweep) Check(typed string) error {
	if s.Server.Key.In(typed) {
		return errors.New("the command line holds the server's key, and run.json would keep it: let the engine read its key from a variable, such as VLLM_API_KEY; snapbench reads it from " + server.KeyVariable + ", or from a file")
	}
	if s.Command == nil || s.Server.URL != "" {
		return s.Server.Check()
	}
	return nil
}

// UsesDate says whether the chat template asks for the day.
func (s *Sweep) UsesDate() bool { return s.Server.Chat != nil && s.Server.Chat.UsesDate() }

// SetToday sets the day that the chat template sees.
func (s *Sweep) SetToday(day time.Time) { s.Server.Today = day }

// Run asks for every row of a job, which is [Sweep.Job]'s with its date, that its journal
// lacks. What was answered is in the journal, whatever ends the run.
func (s *Sweep) Run(ctx context.Context, job *runners.Job, journal *results.Journal, watch runners.Watch) (err error) {
	r := &round{Sweep: s, job: job, journal: journal, watch: watch, told: map[string]bool{}}
	if s.Fidelity {
		if r.trail, err = server.OpenTrail(filepath.Join(cmp.Or(s.Along, journal.Dir()), "trail.jsonl")); err != nil {
			return err
		}
		defer r.trail.Close()
	}
	var open []Setting
	for _, one := range s.Settings {
		if !r.finished(one.Variant) {
			open = append(open, one)
		}
	}
	watch.Plan(slices.Repeat(job.Places(), len(open)))
	for i, one := range open {
		if len(open) > 1 {
			watch.Say("%s (%d of %d)", one.Variant, i+1, len(open))
		}
		if err := r.one(ctx, one); err != nil && (ctx.Err() != nil || s.Command == nil || !r.lose(one, err)) {
			return err
		}
	}
	return r.settle(ctx)
}

// round is a sweep on its way.
type round struct {
	*Sweep
	job     *runners.Job // of all settings
	journal *results.Journal
	watch   runners.Watch
	trail   *server.Trail   // nil: fidelity is not measured
	came    *server.Runner  // the last that could be asked
	prompts []datasets.Task // as it made them, where there is no tokenizer but the servers'
	lost    []loss
	told    map[string]bool // by part
}

// finished says whether a variant has all its rows, so that its server need not be
// started.
func (r *round) finished(v runners.Variant) bool {
	return r.has(v, func(row results.Row) bool { return !r.Retry || row.Error == "" })
}

// has says whether a variant has as many rows of a kind as there are samples.
func (r *round) has(v runners.Variant, kind func(results.Row) bool) bool {
	want, have := 0, 0
	for _, t := range r.Tasks {
		want += t.Len()
	}
	for _, row := range r.journal.Rows() {
		if row.Variant == v.String() && kind(row) {
			have++
		}
	}
	return have >= want
}

// one asks the server of one setting, which is started for it where there is a command.
// What is wrong with this server alone is a lossError.
func (r *round) one(ctx context.Context, one Setting) (err error) {
	o := r.Server
	o.Settings, o.Trail = one.Values, r.trail
	o.Baseline = one.Variant.String() == r.job.Variants[0].String() && r.Along == ""
	// Without a tokenizer no prompt can be made when the server is gone, and a sample that was not made is no row.
	alone := r.Server.Tokenizer == nil
	asking, lost := context.WithCancelCause(ctx)
	defer lost(nil)
	unheard, ending := func() {}, func(context.Context) *process.DiedError { return nil }
	guard := func(team []runners.Runner, _ bool) []runners.Runner { return team }
	if r.Command != nil {
		began := time.Now()
		p, failed := process.Start(ctx, process.Options{
			Template: *r.Command, Settings: one.Values, URL: r.Server.URL, Startup: r.Startup,
			Log: filepath.Join(r.journal.Dir(), logName(one.Variant)),
		})
		if failed != nil {
			return lossError{failed}
		}
		defer func() { err = errors.Join(err, p.Stop()) }()
		r.watch.Say("%s answers after %s", p.Command(), time.Since(began).Round(100*time.Millisecond))
		o.URL, guard = p.URL(), p.Guard
		unheard = p.AtEnd(func(died *process.DiedError) { lost(died) })
		defer unheard()
		ending = p.Ending
	}
	s, err := server.Open(asking, o)
	if err != nil {
		return lossError{cmp.Or(died(asking), err)}
	}
	defer s.Close()
	if !alone { // else its end may come while a prompt is made
		unheard()
	}
	if err := r.same(one.Variant, s.Describe()); err != nil {
		return err
	}
	job := r.of(one.Variant, s)
	team := guard(s.Team(), alone)
	if err := job.Check(team); err != nil {
		return err
	}
	if alone {
		job.Tasks = note(r.Tasks, one.Variant)
	}
	err = r.run(asking, job, team)
	if died := cmp.Or(died(asking), diedIn(err)); died != nil {
		return lossError{died}
	}
	if errors.Is(err, runners.ErrGone) { // while it rendered a prompt by its own template
		if died := ending(ctx); died != nil {
			return lossError{died}
		}
	}
	if r.came = s; alone && err == nil {
		r.prompts = job.Tasks
	}
	return errors.Join(err, r.tell(one.Variant, s.Figures()))
}

// of returns the part of the job that is one variant's, of which a server says how prompts
// are made.
func (r *round) of(v runners.Variant, s *server.Runner) *runners.Job {
	j := *r.job
	j.Variants, j.Reader, j.Stop = []runners.Variant{v}, s.Reader(), s.Stop
	j.Settings = append(slices.Clone(j.Settings), s.Settings()...)
	j.Subject.Model = r.model(s)
	j.Reader.Name = j.Subject.Model
	return &j
}

// run asks a team for the rows of one variant's part of the job.
func (r *round) run(ctx context.Context, j *runners.Job, team []runners.Runner) error {
	return j.Run(ctx, team, r.journal, &part{r.watch, j.Variants[0].String(), r.told})
}

// model is what rows call the model: as asked, else as the first server calls it.
func (r *round) model(s *server.Runner) string {
	if r.Server.Model != "" {
		return r.Server.Model
	}
	if rows := r.journal.Rows(); len(rows) > 0 {
		return rows[0].Model
	}
	return s.Describe().Model
}

// same refuses to go on with another engine than the one that began.
func (r *round) same(v runners.Variant, d runners.Description) error {
	for _, row := range r.journal.Rows() {
		if row.Variant == v.String() && row.Error == "" && row.Revision != d.Revision {
			return fmt.Errorf("%s: %s was begun with %q, and the server is %q now: choose another folder", r.journal.Dir(), v, row.Revision, d.Revision)
		}
	}
	return nil
}

// part shows one server's work as a part of the sweep's, which was planned as a whole.
type part struct {
	runners.Watch
	of   string          // the variant
	told map[string]bool // of the sweep: what is finished
}

// Plan is told nothing new.
func (*part) Plan([]runners.Place) {}

// Finished counts a sample once: one that a server answered before it was lost is met again
// when the others' errors are written.
func (p *part) Finished(t datasets.Task, number int, spent runners.Spent) {
	name := p.of + " " + t.Name() + " " + t.ID(number)
	if !p.told[name] {
		p.told[name] = true
		p.Watch.Finished(t, number, spent)
	}
}
