package hub

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/snapbench/snapbench/inputs"
)

// newHash starts the checksum of a file: the SHA-256 of its content, or git's SHA-1, which
// covers a header too.
func (f file) newHash() hash.Hash {
	if f.lfs {
		return sha256.New()
	}
	h := sha1.New()
	fmt.Fprintf(h, "blob %d\x00", f.size)
	return h
}

func (f file) sumName() string {
	if f.lfs {
		return "SHA-256"
	}
	return "git SHA-1"
}

// errDamaged is wrapped when the bytes that arrived do not have the listed checksum.
var errDamaged = errors.New("damaged")

// fetch makes sure that the blob of f is in the cache. One that is there is read and checked
// like a downloaded one, since its name alone proves nothing. Otherwise fetch waits for the
// blob's lock, continues what an earlier download left, checks size and checksum, and only
// then gives the blob its name. It says whether it replaced a blob with other content.
func (s *session) fetch(ctx context.Context, repo Repo, commit string, f file, progress func(done int64, waiting bool)) (replaced bool, err error) {
	root := filepath.Join(s.Cache, repo.folder())
	blob := filepath.Join(root, "blobs", f.sum)
	have, err := f.look(ctx, blob)
	if err != nil {
		return false, err
	}
	if have == right {
		progress(f.size, false)
		return false, nil
	}
	l, err := acquire(ctx, filepath.Join(s.Cache, ".locks", repo.folder(), f.sum+".lock"), func() { progress(0, true) })
	if err != nil {
		return false, err
	}
	defer l.release()
	if have, err = f.look(ctx, blob); err != nil {
		return false, err
	}
	if have == right { // somebody else was faster
		progress(f.size, false)
		return false, nil
	}
	if err := os.MkdirAll(filepath.Dir(blob), 0o777); err != nil {
		return false, err
	}
	partial, err := openOwn(blob + ".incomplete")
	if err != nil {
		return false, err
	}
	defer partial.Close()

	d := download{session: s, repo: repo, commit: commit, f: f, out: partial, progress: progress}
	if err := d.run(ctx); err != nil {
		return false, fmt.Errorf("%s %s: %s: %w", repo.Kind, repo, f.name, err)
	}
	if err := partial.Sync(); err != nil {
		return false, err
	}
	if err := partial.Close(); err != nil {
		return false, err
	}
	return have == wrong, os.Rename(partial.Name(), blob)
}

// What look can find at a path.
const (
	absent = iota
	wrong
	right
)

// look says whether the file at a path has the size and checksum of f.
func (f file) look(ctx context.Context, path string) (int, error) {
	in, err := inputs.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return absent, nil
	}
	if err != nil {
		return absent, err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return absent, err
	}
	if info.Size() != f.size {
		return wrong, nil
	}
	sum := f.newHash()
	if _, err := io.Copy(sum, cancelled{ctx, in}); err != nil {
		return absent, fmt.Errorf("%s: %w", path, err)
	}
	if hex.EncodeToString(sum.Sum(nil)) != f.sum {
		return wrong, nil
	}
	return right, nil
}

// cancelled reads until the context ends.
type cancelled struct {
	context.Context
	io.Reader
}

func (c cancelled) Read(p []byte) (int, error) {
	if c.Err() != nil {
		return 0, context.Cause(c)
	}
	return c.Reader.Read(p)
}

// openOwn opens a file of the cache for writing, or makes it. Others may write to a shared
// cache: where they put a link, or anything but a plain file, at the path, it is an error,
// since what is written would go elsewhere.
func openOwn(path string) (*os.File, error) {
	for range 100 {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666) // follows no link
		if !errors.Is(err, fs.ErrExist) {
			return f, err
		}
		named, err := os.Lstat(path)
		if err == nil && !named.Mode().IsRegular() {
			return nil, fmt.Errorf("%s: not a plain file (%s), so nothing is written to it: remove it", path, named.Mode().Type())
		}
		if err == nil {
			f, err = os.OpenFile(path, os.O_RDWR, 0)
		}
		if errors.Is(err, fs.ErrNotExist) {
			continue // Python removes its locks
		}
		if err != nil {
			return nil, err
		}
		opened, err := f.Stat()
		if err == nil && os.SameFile(named, opened) {
			return f, nil
		}
		f.Close()
		if err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%s: another file at every look", path)
}

// A download fills one file, in as many requests as it takes.
type download struct {
	*session
	repo     Repo
	commit   string
	f        file
	out      *os.File
	progress func(done int64, waiting bool)

	at  int64     // bytes that are there
	sum hash.Hash // of them
}

func (d *download) run(ctx context.Context) error {
	if err := d.resume(); err != nil {
		return err
	}
	damaged := 0
	before, began := d.at, time.Now()
	for stuck := 0; ; {
		err := d.request(ctx)
		if err == nil {
			if err = d.check(); err == nil {
				return nil
			}
		}
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, errDamaged):
			// Start over, twice at most: the damage may be from an earlier run.
			if damaged++; damaged == 3 {
				return fmt.Errorf("%w, three times", err)
			}
			if err := d.restart(); err != nil {
				return err
			}
		case !errors.Is(err, errCut):
			return err
		case float64(d.at-before) > float64(d.least())*time.Since(began).Seconds()/d.stall().Seconds():
			// A few bytes before each cut or silence would take for ever too.
			stuck = 0
		default:
			if stuck++; stuck >= d.attempts() {
				return fmt.Errorf("%w (%d times at byte %d of %d)", err, stuck, d.at, d.f.size)
			}
		}
		before, began = d.at, time.Now()
		if err := d.pause(ctx, stuck+1, 0); err != nil {
			return err
		}
	}
}

// resume continues what an earlier download left.
func (d *download) resume() error {
	d.sum = d.f.newHash()
	info, err := d.out.Stat()
	if err != nil {
		return err
	}
	if info.Size() > d.f.size {
		return d.restart()
	}
	d.at, err = io.Copy(d.sum, d.out)
	return err
}

func (d *download) restart() error {
	if err := d.out.Truncate(0); err != nil {
		return err
	}
	if _, err := d.out.Seek(0, io.SeekStart); err != nil {
		return err
	}
	d.at, d.sum = 0, d.f.newHash()
	return nil
}

func (d *download) check() error {
	if got := hex.EncodeToString(d.sum.Sum(nil)); got != d.f.sum {
		return fmt.Errorf("%s is %s, should be %s: %w", d.f.sumName(), got, d.f.sum, errDamaged)
	}
	return nil
}

// errCut is wrapped when a connection ended before the file did.
var errCut = errors.New("connection cut")

// request asks for the missing bytes and writes those that arrive. It returns nil once the file
// is complete.
func (d *download) request(ctx context.Context) error {
	d.progress(d.at, false)
	if d.at == d.f.size {
		return nil
	}
	header := http.Header{}
	if d.at > 0 {
		header.Set("Range", fmt.Sprintf("bytes=%d-", d.at))
	}
	resp, err := d.do(ctx, d.http, http.MethodGet, d.repo.resolve(d.commit, d.f.name), header)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK: // also of a server that knows no ranges
		if d.at > 0 {
			if err := d.restart(); err != nil {
				return err
			}
		}
		if resp.ContentLength >= 0 && resp.ContentLength != d.f.size {
			return fmt.Errorf("%s sends %d bytes, should be %d: %w", resp.Request.URL.Host, resp.ContentLength, d.f.size, errDamaged)
		}
	case http.StatusPartialContent:
		start, total, ok := contentRange(resp.Header.Get("Content-Range"))
		if !ok || start != d.at || total >= 0 && total != d.f.size {
			return fmt.Errorf("%s sends range %q, asked for %d to %d: %w",
				resp.Request.URL.Host, resp.Header.Get("Content-Range"), d.at, d.f.size, errDamaged)
		}
	case http.StatusRequestedRangeNotSatisfiable:
		return fmt.Errorf("%s has no byte %d: %w", resp.Request.URL.Host, d.at, errDamaged)
	default:
		return d.refused(ctx, d.repo, d.f.name, resp)
	}

	buffer := make([]byte, 256<<10)
	for {
		n, err := resp.Body.Read(buffer)
		if int64(n) > d.f.size-d.at {
			return fmt.Errorf("%s sends more than %d bytes: %w", resp.Request.URL.Host, d.f.size, errDamaged)
		}
		if n > 0 {
			if _, err := d.out.Write(buffer[:n]); err != nil {
				return err
			}
			d.sum.Write(buffer[:n])
			d.at += int64(n)
			d.progress(d.at, false)
		}
		switch {
		case err == io.EOF && d.at == d.f.size:
			return nil
		case err == io.EOF:
			return fmt.Errorf("%s stops at byte %d of %d: %w", resp.Request.URL.Host, d.at, d.f.size, errCut)
		case err != nil && ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			return fmt.Errorf("%w: %w", err, errCut)
		}
	}
}

// contentRange reads "bytes 5-9/10"; total is -1 where it is "*".
func contentRange(v string) (start, total int64, ok bool) {
	v, ok = strings.CutPrefix(v, "bytes ")
	span, size, ok2 := strings.Cut(v, "/")
	first, _, ok3 := strings.Cut(span, "-")
	if !ok || !ok2 || !ok3 {
		return 0, 0, false
	}
	start, err := strconv.ParseInt(first, 10, 64)
	if err != nil {
		return 0, 0, false
	}
	if size == "*" {
		return start, -1, true
	}
	total, err = strconv.ParseInt(size, 10, 64)
	return start, total, err == nil
}
