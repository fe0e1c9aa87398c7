package sweep

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/snapbench/snapbench/datasets"
	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/server/process"
)

// loss is a setting whose server never answered, or ended before its prompts could be
// made.
type loss struct {
	Setting
	err error
}

// lossError is what went wrong with one server alone.
type lossError struct{ error }

func (e lossError) Unwrap() error { return e.error }

// died returns the end of the server that ended a context; nil where another did.
func died(ctx context.Context) error { return diedIn(context.Cause(ctx)) }

func diedIn(err error) error {
	var died *process.DiedError
	if errors.As(err, &died) {
		return died
	}
	return nil
}

// lose takes an error as the loss of one setting, so that the others are asked; false where
// it is none, but what ends the sweep.
func (r *round) lose(one Setting, err error) bool {
	var alone lossError
	var mistake *runners.MistakeError
	if !errors.As(err, &alone) || errors.As(err, &mistake) {
		return false
	}
	r.lost = append(r.lost, loss{one, err})
	r.watch.Say("%s: %v", one.Variant, err)
	return true
}

// settle writes down the errors of the settings that are lost. That takes their prompts:
// where no tokenizer was given they are those that another server of this sweep made. A
// setting whose rows are all there, with errors of before, is not missing.
func (r *round) settle(ctx context.Context) error {
	var missing []string
	for _, l := range r.lost {
		switch {
		case r.came != nil && (r.Server.Tokenizer != nil || r.prompts != nil):
			job := r.of(l.Variant, r.came)
			if r.prompts != nil {
				job.Tasks = remember(r.prompts)
				job.Stop = func(datasets.Sample) runners.Stop { return runners.Stop{} } // which a server that is gone would be asked for
			}
			if err := r.run(ctx, job, []runners.Runner{process.Failed(l.err)}); err != nil {
				return err
			}
		case !r.has(l.Variant, func(results.Row) bool { return true }):
			missing = append(missing, fmt.Sprintf("%s: %v", l.Variant, l.err))
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("%d of %d servers could not be asked, and the run is not finished (the same command goes on with them):\n  %s",
			len(missing), len(r.Settings), strings.Join(missing, "\n  "))
	}
	return nil
}
