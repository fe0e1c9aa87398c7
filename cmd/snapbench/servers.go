package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/console"
	"github.com/snapbench/snapbench/runners/local"
	"github.com/snapbench/snapbench/runners/server"
	"github.com/snapbench/snapbench/runners/server/process"
)

// serving is a job that servers answer, one after the other.
type serving struct {
	*asking
	job      *runners.Job // of all variants
	template *process.Template
	options  server.Options
	text     *local.Text // nil: the server counts tokens
	journal  *results.Journal
	terminal io.Writer
	stderr   *console.Progress

	came  *server.Runner // the last that came up
	trail *server.Trail  // nil: fidelity is not measured
	lost  []lostVariant
}

// lostVariant is one whose server never answered, or ended before its prompts could be
// made.
type lostVariant struct {
	setting setting
	err     error
}

// askServers asks tasks of servers.
func (a *asking) askServers(cmd *cobra.Command, command string, names []string, metric string) error {
	if err := a.server.refuse(cmd); err != nil {
		return usage(err)
	}
	template, settings, err := a.server.settings()
	if err != nil {
		return usage(err)
	}
	tasks, options, err := a.open(cmd, names, metric)
	if err != nil {
		return err
	}
	key, err := server.ReadKey(a.server.keyFile)
	if err != nil {
		return usage(err)
	}
	s := &serving{asking: a, template: template, terminal: cmd.ErrOrStderr(), stderr: console.NewProgress(cmd.ErrOrStderr(), a.run.quiet)}
	model := ""
	if cmd.Flags().Changed("model") {
		model = a.model.model
	}
	s.options = server.Options{
		URL: a.server.url, Model: model, Label: a.server.label, Key: key, PlainKey: a.server.plainKey,
		Concurrency: a.server.concurrency, Silence: a.server.silence, Repeat: a.server.repeat,
	}
	counter := "the server's"
	if a.server.tokenizer != "" {
		text, err := local.OpenText(cmd.Context(), a.server.tokenizer, s.stderr.Say)
		if err != nil {
			return err
		}
		s.text, counter = &text, text.Name
		s.options.Tokenizer, s.options.Chat = text.Tokenizer, text.Chat
	}
	s.job = &runners.Job{
		Name: command, Tasks: tasks, Variants: variantsOf(settings), Retry: a.run.retry, Subject: results.Subject{Model: model, Device: "server", DType: "as served"},
		Settings: []string{"tokenizer=" + counter, fmt.Sprintf("concurrency=%d", a.server.concurrency), fmt.Sprintf("repeat=%v", a.server.repeat)},
	}
	if template != nil {
		s.job.Settings = append(s.job.Settings, "serve="+template.String())
	}
	if a.run.fidelity {
		s.job.Settings = append(s.job.Settings, "fidelity=along "+cmp.Or(a.server.along, "the first server"))
	} else if a.server.along != "" {
		return usage(errors.New("--along says what --fidelity measures against: ask for it too"))
	}
	if s.journal, err = a.journal(s.job, nil, options, s); err != nil {
		return err
	}
	defer s.journal.Close()
	if a.run.fidelity {
		if s.trail, err = server.OpenTrail(filepath.Join(cmp.Or(a.server.along, s.journal.Dir()), "trail.jsonl")); err != nil {
			return err
		}
		defer s.trail.Close()
	}
	s.stderr.Say("results in %s", s.journal.Dir())
	if err := s.all(cmd.Context(), settings); err != nil {
		if errors.Is(err, context.Canceled) && cmd.Context().Err() != nil {
			return fmt.Errorf("interrupted with %d rows finished: the same command continues", len(s.journal.Rows()))
		}
		return err
	}
	if err := s.journal.Finish(); err != nil {
		return err
	}
	return show(cmd.OutOrStdout(), s.stderr, s.journal.Dir(), a.run.json)
}

// UsesDate says whether the chat template asks for the day.
func (s *serving) UsesDate() bool {
	return s.text != nil && s.text.Chat != nil && s.text.Chat.UsesDate()
}

// SetToday sets the day that the chat template sees.
func (s *serving) SetToday(day time.Time) { s.options.Today = day }

// all asks one server after the other. Those that are lost do not keep the others from
// being asked.
func (s *serving) all(ctx context.Context, settings []setting) error {
	for i, one := range settings {
		if s.finished(one.variant) {
			continue
		}
		if len(settings) > 1 {
			s.stderr.Say("%s (%d of %d)", one.variant, i+1, len(settings))
		}
		err := s.one(ctx, one)
		if err == nil {
			continue
		}
		if ctx.Err() != nil || s.template == nil || !isLoss(err) {
			return err
		}
		s.lost = append(s.lost, lostVariant{one, err})
		s.stderr.Say("%s: %v", one.variant, err)
	}
	var missing []string
	for _, l := range s.lost {
		// Without a tokenizer of our own there are no prompts whose rows could have the error.
		if s.text == nil || s.came == nil {
			missing = append(missing, fmt.Sprintf("%s: %v", l.setting.variant, l.err))
			continue
		}
		if err := s.run(ctx, l.setting, s.came, []runners.Runner{process.Failed(l.err)}); err != nil {
			return err
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("%d of %d servers could not be asked, and the run is not finished (the same command goes on with them):\n  %s",
			len(missing), len(settings), strings.Join(missing, "\n  "))
	}
	return nil
}

// lossError is what went wrong with one server alone.
type lossError struct{ error }

func (e lossError) Unwrap() error { return e.error }

func isLoss(err error) bool {
	var loss lossError
	var mistake *runners.MistakeError
	return errors.As(err, &loss) && !errors.As(err, &mistake)
}

// one asks the server of one setting, which is started for it where there is a command.
func (s *serving) one(ctx context.Context, one setting) (err error) {
	o := s.options
	o.Settings, o.Trail = one.values, s.trail
	o.Baseline = one.variant.String() == s.job.Variants[0].String() && s.asking.server.along == ""
	asking, lost := context.WithCancelCause(ctx)
	defer lost(nil)
	guard := func(team []runners.Runner) []runners.Runner { return team }
	if s.template != nil {
		began := time.Now()
		p, err := process.Start(ctx, process.Options{
			Template: *s.template, Settings: one.values, URL: s.asking.server.url, Startup: s.asking.server.startup,
			Log: filepath.Join(s.journal.Dir(), logName(one.variant)),
		})
		if err != nil {
			return lossError{err}
		}
		defer func() { err = errors.Join(err, p.Stop()) }()
		s.stderr.Say("%s answers after %s", p.Command(), time.Since(began).Round(100*time.Millisecond))
		o.URL, guard = p.URL(), p.Guard
		if s.text == nil { // without the server no prompt can be made, and a sample that was not made is no row
			stop := p.AtEnd(func(died *process.DiedError) { lost(died) })
			defer stop()
		}
	}
	r, err := server.Open(asking, o)
	if err != nil {
		return lossError{cmp.Or(died(asking), err)}
	}
	defer r.Close()
	if err := s.same(one.variant, r.Describe()); err != nil {
		return err
	}
	s.came = r
	err = s.run(asking, one, r, guard(r.Team()))
	if died := died(asking); died != nil {
		return lossError{died}
	}
	return errors.Join(err, s.tell(one.variant, r.Figures()))
}

// died returns the end of the server that ended a context; nil where another did.
func died(ctx context.Context) error {
	var died *process.DiedError
	if errors.As(context.Cause(ctx), &died) {
		return died
	}
	return nil
}

// run asks a team for the rows of one variant.
func (s *serving) run(ctx context.Context, one setting, r *server.Runner, team []runners.Runner) error {
	j := *s.job
	j.Variants, j.Reader, j.Stop = []runners.Variant{one.variant}, r.Reader(), r.Stop
	j.Settings = append(slices.Clone(j.Settings), r.Settings()...)
	j.Subject.Model = s.model(r)
	j.Reader.Name = j.Subject.Model
	if err := j.Check(team); err != nil {
		return err
	}
	watch := console.NewProgress(s.terminal, s.asking.run.quiet)
	defer watch.Close()
	return j.Run(ctx, team, s.journal, watch)
}

// model is what rows call the model: as asked, else as the first server calls it.
func (s *serving) model(r *server.Runner) string {
	if s.options.Model != "" {
		return s.options.Model
	}
	if rows := s.journal.Rows(); len(rows) > 0 {
		return rows[0].Model
	}
	return r.Describe().Model
}

// same refuses to go on with another engine than the one that began.
func (s *serving) same(v runners.Variant, d runners.Description) error {
	for _, r := range s.journal.Rows() {
		if r.Variant == v.String() && r.Error == "" && r.Revision != d.Revision {
			return fmt.Errorf("%s: %s was begun with %q, and the server is %q now: choose another folder", s.journal.Dir(), v, r.Revision, d.Revision)
		}
	}
	return nil
}

// finished says whether a variant has all its rows, so that its server need not be
// started.
func (s *serving) finished(v runners.Variant) bool {
	want, have := 0, 0
	for _, t := range s.job.Tasks {
		want += t.Len()
	}
	for _, r := range s.journal.Rows() {
		if r.Variant == v.String() && !(s.job.Retry && r.Error != "") {
			have++
		}
	}
	return have >= want
}

// logName is a file name for a server's log.
func logName(v runners.Variant) string {
	name := strings.Map(func(r rune) rune {
		if r < 0x80 && (r == '=' || r == '-' || r == '_' || r == '.' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z') {
			return r
		}
		return '-'
	}, v.String())
	return strings.Trim(name[:min(len(name), 100)], "-") + ".log"
}
