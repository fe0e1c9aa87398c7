package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/snapbench/snapbench/inputs"
	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/results/parts"
)

// Object stores behind a file system that has neither append nor rename as POSIX has
// them, by the name that the system gives their mounts.
var objectStores = []string{"s3fs", "gcsfuse", "goofys", "geesefs", "mountpoint-s3", "mount-s3", "blobfuse", "blobfuse2", "rclone", "s3ql", "ossfs", "cosfs", "obsfs"}

// File systems of one machine.
var localSystems = []string{"ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "overlay", "tmpfs", "ramfs", "f2fs", "apfs", "hfs"}

// NoObjectStore is an error where a path is an address of an object store. A run's
// folder needs appending to a file, syncing it, and renaming one over another.
func NoObjectStore(path string) error {
	if scheme, _, ok := strings.Cut(path, "://"); ok {
		return fmt.Errorf("%q: a %s address is not a folder: rows are appended to files, synced and renamed, which object stores cannot do: give a folder of a file system that all machines share (NFS, Lustre, a claim), and copy what is finished", path, scheme)
	}
	return nil
}

// CheckFolder tries, in a run's folder, everything that a run does in it: create, write,
// sync, append, rename over, read back. Remarks are for the user: what the file system
// is may mean that other machines see none of it.
func CheckFolder(dir string) (remarks []string, err error) {
	if err := NoObjectStore(dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, results.Explain(dir, err)
	}
	kind := fileSystem(dir)
	bare := strings.TrimPrefix(kind, "fuse.")
	if slices.Contains(objectStores, bare) {
		return nil, fmt.Errorf("%s lies in an object store (%s): rows are appended to files, synced and renamed, which it cannot do: give a folder of a file system that all machines share (NFS, Lustre, a claim), and copy what is finished", dir, bare)
	}
	if slices.Contains(localSystems, bare) {
		remarks = append(remarks, fmt.Sprintf("%s is on a file system of this machine (%s): the others see it only where it is shared with them", dir, bare))
	}
	return remarks, try(dir)
}

// try does in a folder what a run does.
func try(dir string) (err error) {
	const size = 1 << 20
	name := filepath.Join(dir, ".snapbench-try-"+results.Host()+"-"+results.Random(8))
	defer func() {
		for _, path := range []string{name, name + ".new"} {
			if gone := os.Remove(path); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
				err = errors.Join(err, results.Explain(path, gone))
			}
		}
	}()
	text := bytes.Repeat([]byte("0123456789abcde\n"), size/16)
	write := func(path string, flags int, b []byte) error {
		f, err := os.OpenFile(path, os.O_WRONLY|flags, 0o644)
		if err != nil {
			return results.Explain(path, err)
		}
		_, err = f.Write(b)
		err = errors.Join(err, f.Sync(), f.Close())
		return results.Explain(path, err)
	}
	if err := write(name, os.O_CREATE|os.O_EXCL, []byte("the file that is replaced\n")); err != nil {
		return err
	}
	if err := write(name+".new", os.O_CREATE|os.O_EXCL, text[:size/2]); err != nil {
		return err
	}
	if err := write(name+".new", os.O_APPEND, text[size/2:]); err != nil {
		return err
	}
	if err := os.Rename(name+".new", name); err != nil {
		return results.Explain(name, err)
	}
	got, err := inputs.ReadFile(name)
	if err != nil {
		return results.Explain(name, err)
	}
	if !bytes.Equal(got, text) {
		return fmt.Errorf("%s: what was written, appended to and renamed is read back otherwise (%d bytes for %d): this file system cannot hold a run", dir, len(got), len(text))
	}
	return nil
}

// Token returns what a run's folder holds so that machines know it, which is written
// where it is not there.
func Token(dir string) (string, error) {
	path := filepath.Join(dir, parts.TokenFile)
	data, err := inputs.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		token := results.Random(8)
		return token, results.WriteAtomic(path, func(w io.Writer) error {
			_, err := io.WriteString(w, token+"\n")
			return err
		})
	}
	return strings.TrimSpace(string(data)), err
}
