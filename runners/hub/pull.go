package hub

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// ModelFiles are the patterns of the files that running a model needs: configuration,
// tokenizer, chat template, and the weights as transformers stores them, without copies in
// other formats.
var ModelFiles = []string{"*.json", "*.jinja", "model*.safetensors"}

// TextFiles are the patterns of the files that reading and writing text needs: no weights.
var TextFiles = []string{"*.json", "*.jinja"}

// Ensure returns the repository from the cache if everything that is asked for is known to be
// there, even if the hub has a newer commit; otherwise it pulls it. Offline it returns what is
// there.
func (c *Client) Ensure(ctx context.Context, repo Repo, patterns ...string) (Snapshot, error) {
	snapshot, err := c.Cached(repo, patterns...)
	switch {
	case err == nil && (snapshot.Complete || c.Offline):
		return snapshot, nil
	case err != nil && !errors.Is(err, ErrNotCached):
		return Snapshot{}, err
	case c.Offline:
		return Snapshot{}, fmt.Errorf("%w, and HF_HUB_OFFLINE forbids to download it: %w", err, ErrOffline)
	}
	return c.Pull(ctx, repo, patterns...)
}

// Pull asks the hub for the commit of the revision and downloads the files that match one of
// the patterns (those of path.Match for the whole name; without patterns, all files). Files in
// the cache are read and checked, and replaced where they differ from the hub's list. What an
// interrupted Pull has downloaded is kept, and the next continues from it.
func (c *Client) Pull(ctx context.Context, repo Repo, patterns ...string) (Snapshot, error) {
	if err := repo.check(); err != nil {
		return Snapshot{}, err
	}
	if c.Offline {
		return Snapshot{}, fmt.Errorf("pulling %s %s: HF_HUB_OFFLINE forbids to ask %s: %w", repo.Kind, repo, c.Endpoint, ErrOffline)
	}
	s, err := c.session()
	if err != nil {
		return Snapshot{}, err
	}
	l, err := s.list(ctx, repo)
	if err != nil {
		return Snapshot{}, err
	}
	files, err := l.match(repo, patterns)
	if err != nil {
		return Snapshot{}, err
	}
	if len(files) == 0 {
		return Snapshot{}, fmt.Errorf("%s %s holds no files: %w", repo.Kind, repo, ErrNotFound)
	}
	root := filepath.Join(c.Cache, repo.folder())
	snapshot := Snapshot{Repo: repo, Commit: l.commit, Dir: filepath.Join(root, "snapshots", l.commit)}
	for i := range files {
		if files[i].sum == "" {
			if err := s.describe(ctx, repo, l.commit, &files[i]); err != nil {
				return Snapshot{}, err
			}
		}
		snapshot.add(files[i])
	}
	if err := checkSizes(files); err != nil {
		return Snapshot{}, fmt.Errorf("%s describes %s %s in a way that can't be used: %w", s.Endpoint, repo.Kind, repo, err)
	}
	if snapshot.Complete, err = writeTree(root, l); err != nil {
		return Snapshot{}, err
	}
	if err := c.checkSpace(root, files); err != nil {
		return Snapshot{}, err
	}
	if snapshot.Replaced, err = s.fetchAll(ctx, repo, l.commit, files, snapshot); err != nil {
		return Snapshot{}, err
	}
	if rev := repo.revision(); rev != l.commit {
		if err := writeWhole(filepath.Join(root, "refs", filepath.FromSlash(rev)), []byte(l.commit)); err != nil {
			return Snapshot{}, err
		}
	}
	return snapshot, nil
}

// checkSizes refuses files with the same checksum and different sizes: they would share a blob,
// which could only be right for one of them.
func checkSizes(files []file) error {
	first := make(map[string]file)
	for _, f := range files {
		other, ok := first[f.sum]
		if !ok {
			first[f.sum] = f
		} else if other.size != f.size {
			return fmt.Errorf("files %q and %q have the same %s %s, and %d and %d bytes", other.name, f.name, f.sumName(), f.sum, other.size, f.size)
		}
	}
	return nil
}

// checkSpace is an error if the disk cannot hold the download.
func (c *Client) checkSpace(root string, files []file) error {
	var need int64
	seen := make(map[string]bool)
	for _, f := range files {
		if seen[f.sum] {
			continue
		}
		seen[f.sum] = true
		blob := filepath.Join(root, "blobs", f.sum)
		if info, err := os.Stat(blob); err == nil && info.Size() == f.size {
			continue
		}
		need += f.size
		if info, err := os.Stat(blob + ".incomplete"); err == nil {
			need -= min(info.Size(), f.size)
		}
	}
	if err := os.MkdirAll(root, 0o777); err != nil {
		return err
	}
	free, err := freeBytes(root)
	if err != nil {
		return fmt.Errorf("free space of %s: %w", root, err)
	}
	if need > free {
		return fmt.Errorf("%s has %d bytes free, the download takes %d", c.Cache, free, need)
	}
	return nil
}

// fetchAll downloads several files at a time and links each when it is complete.
// The first error stops the others. It returns the files whose content in the
// cache was replaced, sorted.
func (s *session) fetchAll(ctx context.Context, repo Repo, commit string, files []file, snapshot Snapshot) (replaced []string, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	account := newAccount(s.Progress, files)

	// Files of equal content share a blob, and one download.
	var groups [][]file
	index := make(map[string]int)
	for _, f := range files {
		i, ok := index[f.sum]
		if !ok {
			i = len(groups)
			index[f.sum] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], f)
	}
	work := make(chan []file)
	var wg sync.WaitGroup
	var mu sync.Mutex // of replaced
	workers := s.Workers
	if workers <= 0 {
		workers = 4
	}
	for range min(workers, len(groups)) {
		wg.Go(func() {
			for group := range work {
				other, err := s.fetch(ctx, repo, commit, group[0], func(done int64, waiting bool) {
					account.report(group, done, waiting)
				})
				for _, f := range group {
					if err == nil {
						err = link(snapshot, f)
					}
					if other {
						mu.Lock()
						replaced = append(replaced, f.name)
						mu.Unlock()
					}
				}
				if err != nil {
					cancel(err)
					return
				}
			}
		})
	}
feed:
	for _, g := range groups {
		select {
		case work <- g:
		case <-ctx.Done():
			break feed
		}
	}
	close(work)
	wg.Wait()
	slices.Sort(replaced)
	return replaced, context.Cause(ctx)
}

// link puts a file into the snapshot, as a relative link to its blob.
func link(snapshot Snapshot, f file) error {
	at := snapshot.Path(f.name)
	target := filepath.Join(strings.Repeat("../", 2+strings.Count(f.name, "/")), "blobs", f.sum)
	if old, err := os.Readlink(at); err == nil && old == target {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(at), 0o777); err != nil {
		return err
	}
	partial := temporary(at)
	if err := os.Symlink(target, partial); err != nil {
		return err
	}
	err := os.Rename(partial, at)
	if err != nil {
		os.Remove(partial)
	}
	return err
}

// account adds up the progress of all files and reports it, a few times a second and at the end
// of each file.
type account struct {
	mu     sync.Mutex
	call   func(Progress)
	done   map[string]int64
	total  int64
	all    int64
	last   time.Time
	paused map[string]bool
}

func newAccount(call func(Progress), files []file) *account {
	a := &account{call: call, done: make(map[string]int64), paused: make(map[string]bool)}
	for _, f := range files {
		a.total += f.size
	}
	return a
}

func (a *account) report(group []file, done int64, waiting bool) {
	if a.call == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	f := group[0]
	a.all += (done - a.done[f.name]) * int64(len(group))
	a.done[f.name] = done
	changed := a.paused[f.name] != waiting
	a.paused[f.name] = waiting
	if now := time.Now(); changed || done == f.size || now.Sub(a.last) >= 100*time.Millisecond {
		a.last = now
		a.call(Progress{File: f.name, Done: done, Size: f.size, Total: a.total, AllDone: a.all, Waiting: waiting})
	}
}
