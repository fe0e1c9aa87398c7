// Package inputs opens the files that a run reads: a model's, a data set's,
// another run's. They may come from strangers, so only regular files are opened: opening a
// named pipe can wait for a writer for ever, and a device may have no end.
package inputs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// Open opens a regular file for reading, also through a link. Anything else is an error that
// names the path and says what it is. For an absent file the error is an fs.ErrNotExist.
func Open(path string) (*os.File, error) {
	// The type is checked before the file is opened: to open a device can have an effect.
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

// Check returns the error that Open would, for libraries that open a path by themselves.
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
