package results

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Replace makes a folder hold these rows, which it puts into order, as a run that is finished but for run.Missing, whatever it held of the run
// before. A process that is killed on the way leaves a folder that says it lacks rows, or has them. Several may do so at the same
// time, with the same rows, but not while a journal there is written.
func Replace(dir string, run Run, rows []Row) error {
	if err := run.fill(); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return Explain(dir, err)
	}
	journal := filepath.Join(dir, journalFile)
	if _, err := os.Lstat(journal); err == nil {
		held, err := lockDir(dir, true)
		if err != nil {
			return err
		}
		defer held.Close()
	}
	path := filepath.Join(dir, runFile)
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		nothing := run
		nothing.Missing, nothing.Attempts = run.Expected(), nil
		if err := WriteAtomic(path, nothing.write); err != nil {
			return err
		}
	}
	run.Sort(rows)
	if err := WriteFile(filepath.Join(dir, parquetFile), rows); err != nil {
		return err
	}
	if err := WriteSummary(dir, run, rows); err != nil {
		return err
	}
	if err := os.Remove(journal); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Explain(journal, err)
	}
	return WriteAtomic(path, run.write)
}

// HasRows reports whether a folder has rows of a run, finished or not.
func HasRows(dir string) bool {
	for _, name := range []string{journalFile, parquetFile} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			return true
		}
	}
	return false
}

// IsFinished reports whether a folder's run has ended: its rows are in results.parquet, and no journal is left.
func IsFinished(dir string) bool {
	_, journal := os.Lstat(filepath.Join(dir, journalFile))
	_, parquet := os.Lstat(filepath.Join(dir, parquetFile))
	return parquet == nil && errors.Is(journal, fs.ErrNotExist)
}

// Ended returns when a finished run's rows were written, by the clock of the file system that they lie in.
func Ended(dir string) (time.Time, error) {
	info, err := os.Stat(filepath.Join(dir, parquetFile))
	if err != nil {
		return time.Time{}, Explain(dir, err)
	}
	return info.ModTime(), nil
}

// folderLock is the lock of a folder whose journal a process of this machine may be writing.
type folderLock struct{ file *os.File }

// lockDir takes a folder's lock, as one of several or alone.
func lockDir(dir string, shared bool) (*folderLock, error) {
	path := filepath.Join(dir, lockFile)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, Explain(path, err)
	}
	ok, err := lock(f, shared)
	if err == nil && ok {
		return &folderLock{f}, nil
	}
	f.Close()
	if err != nil {
		return nil, fmt.Errorf("%s: cannot be locked: %w", path, err)
	}
	return nil, fmt.Errorf("%s: another snapbench is writing into this folder; wait for it, or choose another --out", dir)
}

// Close drops the lock. The file stays: with it gone, a third process would lock another one.
func (l *folderLock) Close() error { return errors.Join(unlock(l.file), l.file.Close()) }
