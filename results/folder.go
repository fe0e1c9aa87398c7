package results

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// MakeFolder makes the folder that --out names, before minutes are spent on what could not be written down: it
// is an error where no file can be made there. leave, called at the end, removes the folder where it was made here and
// nothing came of it.
func MakeFolder(dir string) (leave func(), err error) {
	_, before := os.Stat(dir)
	if err = os.MkdirAll(dir, 0o755); err == nil {
		var probe *os.File
		if probe, err = os.CreateTemp(dir, "probe"+tmpMark+"*"); err == nil {
			err = errors.Join(probe.Close(), os.Remove(probe.Name()))
		}
	}
	if err != nil {
		return nil, fmt.Errorf("--out %w", Explain(dir, err))
	}
	return func() {
		if errors.Is(before, fs.ErrNotExist) {
			_ = os.Remove(dir) // which a folder with anything in it outlasts
		}
	}, nil
}
