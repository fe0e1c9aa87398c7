// Package inputs opens the files that a run reads: a model's, a data set's,
// another run's. They may come from anybody, so only regular files are opened:
// opening a named pipe waits for a writer that need not come, and a device may
// have no end.
package inputs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// Open opens a regular file for reading; links are followed. Anything else, and
// a link to it, is an error that names the path and says what lies there. An
// absent file is an error of fs.ErrNotExist.
func Open(path string) (*os.File, error) {
	// Looking comes before opening, which on a device can already do something.
	if err := Check(path); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDONLY|nonblock, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat() // another file may lie there by now
	if err == nil {
		err = check(path, info)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// ReadFile reads a regular file, with Open's errors.
func ReadFile(path string) ([]byte, error) {
	f, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// Check says whether path leads to a regular file, for libraries that open a
// path by themselves. Its errors are those of Open.
func Check(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	return check(path, info)
}

func check(path string, info fs.FileInfo) error {
	if mode := info.Mode(); !mode.IsRegular() {
		return &fs.PathError{Op: "open", Path: path, Err: errors.New(kind(mode) + ", want a regular file")}
	}
	return nil
}

// kind names what is not a regular file.
func kind(mode fs.FileMode) string {
	switch {
	case mode.IsDir():
		return "a folder"
	case mode&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	case mode&fs.ModeDevice != 0:
		return "a device"
	}
	return fmt.Sprintf("something else (%s)", mode.Type())
}
