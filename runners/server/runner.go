package server

import (
	"context"
	"fmt"
	"net/url"

	"github.com/snapbench/snapbench/datasets"
	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/runners"
)

// Runner is a server that runs.
type Runner struct {
	options Options
	base    *url.URL
	variant Variant
	about   runners.Description
}

// Open asks a server what it is, and what it takes.
func Open(ctx context.Context, o Options) (*Runner, error) {
	o, base, err := o.checked()
	if err != nil {
		return nil, runners.Mistake(err)
	}
	r := &Runner{options: o, base: base}
	if r.variant, err = NewVariant(o.Label, o.Settings); err != nil {
		return nil, runners.Mistake(err)
	}
	return r, nil
}

// Variant is what the server answers under.
func (r *Runner) Variant() Variant { return r.variant }

// Describe says which server answers.
func (r *Runner) Describe() runners.Description { return r.about }

// Subject is what rows of this server are about.
func (r *Runner) Subject() results.Subject {
	d := r.about
	return results.Subject{Model: d.Model, Revision: d.Revision, Device: d.Device, DType: d.DType}
}

// Reader is the server's model as prompts see it.
func (r *Runner) Reader() datasets.Model { return datasets.Model{Name: r.about.Model} }

// Stop returns where a sample's answer ends; the server's own end tokens end it besides.
func (r *Runner) Stop(s datasets.Sample) runners.Stop { return runners.Stop{Strings: s.StopStrings} }

// Check reports a variant that is another server's.
func (r *Runner) Check(list []runners.Variant) error {
	for _, v := range list {
		if v.String() != r.variant.String() {
			return fmt.Errorf("variant %s is not what %s serves, which is %s", v, r.base, r.variant)
		}
	}
	return nil
}

// Fits says whether a request may be asked beside those that wait.
func (r *Runner) Fits(waiting []runners.Request, next runners.Request) bool {
	return len(waiting) < r.options.Concurrency
}

// Team returns the server as runners that ask at the same time, each one request
// after the other: as many as its concurrency, so that so many are always underway.
func (r *Runner) Team() []runners.Runner { return []runners.Runner{r} }

// Run asks the requests.
func (r *Runner) Run(ctx context.Context, requests []runners.Request) ([][]runners.Completion, error) {
	return nil, fmt.Errorf("%s: not asked yet", r.base)
}

// Close gives connections back.
func (r *Runner) Close() error { return nil }
