package results

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// WriteAtomic writes a file so that at every moment path is either what it was or complete: into a new file beside
// it, synced, then renamed, then the folder synced. The file's mode is 0644 (os.CreateTemp would leave 0600, which
// other users of a shared results folder cannot read).
func WriteAtomic(path string, write func(io.Writer) error) (err error) {
	tmp := fmt.Sprintf("%s.tmp-%d", path, os.Getpid())
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return Explain(path, err)
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(tmp)
			err = Explain(path, err)
		}
	}()
	w := bufio.NewWriterSize(f, 1<<16)
	if err = write(w); err != nil {
		return err
	}
	if err = w.Flush(); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	if err = os.Rename(tmp, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes a rename or a new file in a folder durable. Systems that cannot sync a folder say EINVAL.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, os.ErrPermission) {
		return err
	}
	return nil
}

// Explain words the errors of writing that a user can do something about.
func Explain(path string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("%s: the disk is full: %w", path, err)
	case errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%s: the disk quota is used up: %w", path, err)
	case errors.Is(err, syscall.EFBIG):
		return fmt.Errorf("%s: larger than this system or its limits allow: %w", path, err)
	case errors.Is(err, syscall.EROFS), errors.Is(err, os.ErrPermission):
		return fmt.Errorf("%s: cannot be written: %w", path, err)
	case errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("%s: a file stands where a folder is needed: %w", path, err)
	}
	var pe *os.PathError
	if errors.As(err, &pe) {
		return err // names the path already
	}
	return fmt.Errorf("%s: %w", path, err)
}
