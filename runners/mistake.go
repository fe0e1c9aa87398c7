package runners

// MistakeError is an error in what was asked, not in what happened: the program ends with
// the status of a usage error.
type MistakeError struct{ Err error }

func (e *MistakeError) Error() string { return e.Err.Error() }

// Unwrap returns what was wrong.
func (e *MistakeError) Unwrap() error { return e.Err }

// Mistake marks an error as one in what was asked.
func Mistake(err error) error {
	if err == nil {
		return nil
	}
	return &MistakeError{err}
}
