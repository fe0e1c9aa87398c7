package sweep

import (
	"context"
	"errors"
	"fmt"
	"strings"

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
func died(ctx context.Context) error {
	var died *process.DiedError
	if errors.As(context.Cause(ctx), &died) {
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

// settle writes down the errors of the settings that are lost, for which there must be
// prompts.
func (r *round) settle(ctx context.Context) error {
	var missing []string
	for _, l := range r.lost {
		if r.Server.Tokenizer == nil || r.came == nil {
			missing = append(missing, fmt.Sprintf("%s: %v", l.Variant, l.err))
			continue
		}
		if err := r.ask(ctx, l.Variant, r.came, []runners.Runner{process.Failed(l.err)}, r.Tasks); err != nil {
			return err
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("%d of %d servers could not be asked, and the run is not finished (the same command goes on with them):\n  %s",
			len(missing), len(r.Settings), strings.Join(missing, "\n  "))
	}
	return nil
}
