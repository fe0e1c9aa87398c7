package commands

import (
	"errors"
	"fmt"
	"strings"

	"github.com/snapbench/snapbench/runners"
)

// Exit statuses of errors that name none themselves.
const (
	CannotRun = 1 // something happened
	Misused   = 2 // what was asked for cannot be meant
)

// ExitError is an error with the exit status that it stands for. Without an error of its
// own it is a status alone, and everything has been said.
type ExitError struct {
	Code int
	Err  error
}

func (e *ExitError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("exit status %d", e.Code)
	}
	return e.Err.Error()
}

// Unwrap returns the error itself.
func (e *ExitError) Unwrap() error { return e.Err }

// Exit gives an error the exit status that it stands for: its own, that of a mistake, or
// that of all others.
func Exit(err error) *ExitError {
	var exit *ExitError
	if errors.As(err, &exit) {
		return exit
	}
	var mistake *runners.MistakeError
	// Errors of cobra's own: an unknown command, a missing argument.
	words := err.Error()
	if errors.As(err, &mistake) || strings.HasPrefix(words, "unknown command") || strings.HasPrefix(words, "accepts ") || strings.HasPrefix(words, "requires ") {
		return &ExitError{Misused, err}
	}
	return &ExitError{CannotRun, err}
}
