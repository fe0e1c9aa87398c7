package kubernetes

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/runners/cluster"
)

// brought are the files of a joined run. The last is the one that says which run it is: a
// stream that broke off has not got to it.
var brought = []string{"summary.json", "summary.md", "results.parquet", "run.json"}

// needed are those without which the run is not joined.
var needed = brought[2:]

// notJoined is the exit status by which the reading pod says that they are not there.
const notJoined = 44

// packing writes the files to its output. Its arguments are the folder and the files.
var packing = fmt.Sprintf(`cd "$0" 2>/dev/null && test -e %s && test -e %s || exit %d
for f; do test -e "$f" && set -- "$@" "$f"; shift; done
exec tar -cf - "$@"`, needed[0], needed[1], notJoined)

// Fetch implements [cluster.Fetcher]: a pod of the same image, which has the claim, packs
// the files, and kubectl exec carries them. kubectl cp would do the same, and say less of
// what went wrong.
func (engine) Fetch(ctx context.Context, id string, w cluster.Work, dir string) error {
	k, _, err := submitted(id, w)
	if err != nil {
		return err
	}
	const lifetime = 15 * time.Minute
	name, end, err := helper(ctx, k, w, "fetch", lifetime, "sleep", strconv.Itoa(seconds(lifetime)))
	if err != nil {
		return err
	}
	defer end()
	if _, err := await(ctx, k, name, 5*time.Minute, "Running"); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return results.Explain(dir, err)
	}
	ctx, cancel := context.WithTimeout(ctx, lifetime)
	defer cancel()
	r, pipe := io.Pipe()
	packed := make(chan error, 1)
	go func() {
		err := k.stream(ctx, "", pipe, append([]string{"exec", name, "--", "sh", "-c", packing, w.Out}, brought...)...)
		pipe.CloseWithError(err)
		packed <- err
	}()
	err = unpack(r, dir)
	io.Copy(io.Discard, r) // tar's padding; a closed pipe would be kubectl's failure
	if failed := <-packed; failed != nil {
		var exit *exec.ExitError
		if errors.As(failed, &exit) && exit.ExitCode() == notJoined {
			return fmt.Errorf("%s in claim %s is not joined yet: %w", w.Out, w.Claim, fs.ErrNotExist)
		}
		return failed
	}
	return err
}

// unpack writes the files of a run that a stream holds, and takes no others. Each is
// whole or not there.
func unpack(r io.Reader, dir string) error {
	var got []string
	for t := tar.NewReader(r); ; {
		h, err := t.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("the files that a pod sends: %w", err)
		}
		if !slices.Contains(brought, h.Name) || h.Typeflag != tar.TypeReg {
			return fmt.Errorf("the files that a pod sends: %q was not asked for", h.Name)
		}
		if err := results.WriteAtomic(filepath.Join(dir, h.Name), func(w io.Writer) error {
			_, err := io.Copy(w, t)
			return err
		}); err != nil {
			return err
		}
		got = append(got, h.Name)
	}
	for _, name := range needed {
		if !slices.Contains(got, name) {
			return fmt.Errorf("the files that a pod sends end before %s", name)
		}
	}
	return nil
}
