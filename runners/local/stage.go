package local

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/snapbench/snapbench/inputs"
	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/runners/hub"
	"github.com/snapbench/snapbench/runners/weights"
)

// Staging copies a model's files to a folder on a local disk before they are read. Many
// machines that read weights from one shared disk read them once each then, in order,
// where mapping them would ask for pages in the order of use, and again whenever memory is
// short.
//
//	DIR/NAME-KEY/       a copy; it gets this name when it is whole
//	DIR/NAME-KEY.lock   held while the copy is made or looked at, so that it is made once
//	DIR/NAME-KEY.copying-RANDOM/   a copy that is being made, or that a killed process left
//
// The key is of the files' names, sizes and times, and of where they come from.
type staging struct {
	dir  string // empty: files are read where they are
	name string // what the copy is called, for people
	say  func(string, ...any)
}

// stagedFile is a file to copy.
type stagedFile struct {
	name, from string
	size       int64
	modified   time.Time
}

// stageModel copies the model that is a file or a directory at path, and returns the
// path of the copy.
func (s staging) stageModel(ctx context.Context, path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if !info.IsDir() {
		name := filepath.Base(absolute)
		dir, err := s.copyOnce(ctx, absolute, filepath.Dir(absolute), []string{name})
		return filepath.Join(dir, name), err
	}
	shards, err := weights.DirFiles(path)
	if err != nil {
		return "", err
	}
	texts, err := decisiveIn(path)
	if err != nil {
		return "", err
	}
	var names []string
	for _, file := range append(shards, texts...) {
		name, err := filepath.Rel(path, file)
		if err != nil {
			return "", err
		}
		names = append(names, name)
	}
	return s.copyOnce(ctx, absolute, path, names)
}

// copyOnce returns a folder with copies of the named files of a folder, which another
// process or an earlier one may have made. source says where they come from.
func (s staging) copyOnce(ctx context.Context, source, folder string, names []string) (string, error) {
	var files []stagedFile
	key := sha256.New()
	fmt.Fprintf(key, "%q\n", source)
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		from := filepath.Join(folder, name)
		if err := inputs.Check(from); err != nil {
			return "", err
		}
		info, err := os.Stat(from)
		if err != nil {
			return "", err
		}
		files = append(files, stagedFile{name, from, info.Size(), info.ModTime()})
		fmt.Fprintf(key, "%q %d %d\n", name, info.Size(), info.ModTime().UnixNano())
	}
	dir, err := filepath.Abs(s.dir)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", s.explain(err)
	}
	at := filepath.Join(dir, strings.ReplaceAll(s.name, "/", "--")+"-"+hex.EncodeToString(key.Sum(nil)[:8]))
	release, err := hub.Lock(ctx, at+".lock", func() {
		s.say("another process copies %s to %s: waiting for it", s.name, dir)
	})
	if err != nil {
		return "", s.explain(err)
	}
	defer release()
	if whole(at, files) {
		s.say("%s is read from its copy %s", s.name, at)
		return at, nil
	}
	return at, s.copyTo(ctx, at, files)
}

// whole says whether a folder has all files with their sizes and times.
func whole(dir string, files []stagedFile) bool {
	for _, f := range files {
		info, err := os.Lstat(filepath.Join(dir, f.name))
		if err != nil || !info.Mode().IsRegular() || info.Size() != f.size || !sameTime(info.ModTime(), f.modified) {
			return false
		}
	}
	return true
}

// sameTime compares times of modification as far as file systems keep them: some round to
// microseconds, some to two seconds.
func sameTime(a, b time.Time) bool { return a.Sub(b).Abs() <= 2*time.Second }

// copyTo makes a copy. The caller holds its lock.
func (s staging) copyTo(ctx context.Context, at string, files []stagedFile) (err error) {
	const mark = ".copying-"
	// With the lock held no other process is making this copy: these were left behind.
	entries, err := os.ReadDir(filepath.Dir(at))
	if err != nil {
		return s.explain(err)
	}
	for _, e := range entries {
		if name := e.Name(); name != filepath.Base(at) && !strings.HasPrefix(name, filepath.Base(at)+mark) {
			continue
		}
		if err := os.RemoveAll(filepath.Join(filepath.Dir(at), e.Name())); err != nil {
			return s.explain(err)
		}
	}
	partial, err := os.MkdirTemp(filepath.Dir(at), filepath.Base(at)+mark)
	if err != nil {
		return s.explain(err)
	}
	defer func() {
		if err != nil {
			os.RemoveAll(partial)
			err = s.explain(err)
		}
	}()
	if err := os.Chmod(partial, 0o755); err != nil { // other users' processes read it, too
		return err
	}
	start, bytes := time.Now(), int64(0)
	for _, f := range files {
		to := filepath.Join(partial, f.name)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		if err := copyFile(ctx, f, to); err != nil {
			return err
		}
		bytes += f.size
	}
	if err := os.Rename(partial, at); err != nil {
		return err
	}
	s.say("%s copied to %s: %.2f GB in %.2f s", s.name, at, float64(bytes)/1e9, time.Since(start).Seconds())
	return nil
}

// copyFile copies a file with its time of modification.
func copyFile(ctx context.Context, f stagedFile, to string) (err error) {
	in, err := inputs.Open(f.from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	n, err := io.Copy(out, &cancellable{ctx, in})
	if err != nil {
		return err
	}
	if n != f.size {
		return fmt.Errorf("%s: %d bytes, and it had %d before: it changes while it is copied", f.from, n, f.size)
	}
	// A copy counts by its size once it has its name, also after the power went.
	if err := out.Sync(); err != nil {
		return err
	}
	return os.Chtimes(to, time.Time{}, f.modified)
}

// cancellable is a reader that ends with a context.
type cancellable struct {
	ctx context.Context
	r   io.Reader
}

func (c *cancellable) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, context.Cause(c.ctx)
	}
	return c.r.Read(p)
}

// explain words an error of writing into the folder that was asked for.
func (s staging) explain(err error) error {
	var where *fs.PathError
	if dir, _ := filepath.Abs(s.dir); !errors.As(err, &where) || !strings.HasPrefix(where.Path, dir) {
		return err
	}
	return fmt.Errorf("--stage %w", results.Explain(s.dir, err))
}
