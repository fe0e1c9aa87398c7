package results

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// WriteAtomic writes a file so that path always has either its old content or all of its new content: it writes and
// syncs a new file beside path, renames it and syncs the folder. The file's mode is 0644 (with the 0600 of
// os.CreateTemp other users of a shared folder could not read it). A killed process leaves the new file behind, which
// sweep removes.
func WriteAtomic(path string, write func(io.Writer) error) (err error) {
	tmp := fmt.Sprintf("%s%s%d", path, tmpMark, os.Getpid())
	// A killed process may have had the same number. A link of this name must not be followed.
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Explain(path, err)
	}
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
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

// tmpMark separates the name of a file that is being written from the number of the process that writes it.
const tmpMark = ".tmp-"

// sweep removes the half-written files of a run that killed processes left behind. The caller holds the folder's lock,
// so no other process is writing them.
func sweep(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return Explain(dir, err)
	}
	for _, e := range entries {
		name, pid, ok := strings.Cut(e.Name(), tmpMark)
		if _, err := strconv.ParseUint(pid, 10, 64); !ok || err != nil || !slices.Contains(runFiles, name) || !e.Type().IsRegular() {
			continue
		}
		path := filepath.Join(dir, e.Name())
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return Explain(path, err)
		}
	}
	return nil
}

// syncDir makes a rename or a new file in a folder durable. Systems that cannot sync a folder return EINVAL.
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

// Explain adds a plain description to those errors of writing that a user can fix, and the path to all.
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
