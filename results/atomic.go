package results

import (
	"bufio"
	"crypto/rand"
	"encoding/hex"
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
	"time"
)

// WriteAtomic writes a file so that path always has either its old content or all of its new content: it writes and
// syncs a new file beside path, renames it and syncs the folder. The file's mode is 0644 (with the 0600 of
// os.CreateTemp other users of a shared folder could not read it). A killed process leaves the new file behind, which
// sweep removes.
func WriteAtomic(path string, write func(io.Writer) error) (err error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return fmt.Errorf("%s: a folder, and a file is to be written: name one in it", path)
	}
	tmp := fmt.Sprintf("%s%s%s-%d-%s", path, tmpMark, Host(), os.Getpid(), Random(4))
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

// WriteBytes writes a whole file as WriteAtomic does.
func WriteBytes(path string, data []byte) error {
	return WriteAtomic(path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// tmpMark stands between the name of a file that is being written and the machine, the process and the random number
// that write it: a folder may be shared by machines whose processes have the same numbers.
const tmpMark = ".tmp-"

// abandoned is the age from which another machine's half-written file counts as left behind.
const abandoned = 24 * time.Hour

// sweep removes what killed processes left of a run's files half written. The caller holds the folder's lock, so no
// other process of this machine is writing them; another machine's go when they are old.
func sweep(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return Explain(dir, err)
	}
	for _, e := range entries {
		name, writer, ok := strings.Cut(e.Name(), tmpMark)
		if !ok || !slices.Contains(runFiles, name) || !e.Type().IsRegular() {
			continue
		}
		host, ok := writerHost(writer)
		if !ok {
			continue
		}
		if host != "" && host != Host() {
			if info, err := e.Info(); err != nil || time.Since(info.ModTime()) < abandoned {
				continue
			}
		}
		path := filepath.Join(dir, e.Name())
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return Explain(path, err)
		}
	}
	return nil
}

// writerHost returns the machine of a half-written file's name, "" where it has a process number only, as earlier
// versions wrote; ok says whether it is such a name.
func writerHost(writer string) (host string, ok bool) {
	if _, err := strconv.ParseUint(writer, 10, 64); err == nil {
		return "", true
	}
	parts := strings.Split(writer, "-")
	if len(parts) < 3 {
		return "", false
	}
	process, random := parts[len(parts)-2], parts[len(parts)-1]
	_, noProcess := strconv.ParseUint(process, 10, 64)
	_, noRandom := strconv.ParseUint(random, 16, 32)
	host = strings.Join(parts[:len(parts)-2], "-")
	return host, noProcess == nil && noRandom == nil && len(random) == 8 && host != ""
}

// Random returns n random bytes as hexadecimal digits, for names that no other process makes.
func Random(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// Host is this machine's name as it stands in names of files: letters, digits, dots and hyphens.
func Host() string {
	name, err := os.Hostname()
	if err != nil || name == "" {
		return "unknown"
	}
	return strings.Map(func(r rune) rune {
		if r < 128 && (r == '.' || r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z') {
			return r
		}
		return '_'
	}, name)
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

// Explain adds a plain description to those errors of reading and writing that a user can fix, and the path to all.
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
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%s: cannot be written: %w", path, err)
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("%s: not allowed to this user: %w", path, err)
	case errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("%s: a file stands where a folder is needed: %w", path, err)
	}
	var pe *os.PathError
	if errors.As(err, &pe) {
		return err // names the path already
	}
	return fmt.Errorf("%s: %w", path, err)
}
