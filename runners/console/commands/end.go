package commands

import (
	"context"
	"errors"
	"fmt"

	"github.com/snapbench/snapbench/runners"
)

// End words the ends of a run that are no failures: Ctrl-C, and a time limit, of which a job's script learns by the exit
// status again whether to start the part again. It must not where the time was too short for a single sample: the run had
// as many rows as there are now.
func End(err error, asked bool, had, rows, again int) error {
	canceled := errors.Is(err, context.Canceled)
	switch asked = asked && (canceled || errors.Is(err, runners.ErrEnough)); {
	case asked && rows == had:
		return errors.New("asked to end before a single sample was answered: give the part more time")
	case asked:
		return &ExitError{Code: again, Err: fmt.Errorf("ended as asked with %d rows finished: the same command continues", rows)}
	case canceled:
		return fmt.Errorf("interrupted with %d rows finished: the same command continues", rows)
	}
	return err
}
