package hub

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/snapbench/snapbench/inputs"
)

// Snapshot is the files of a repository at one commit, in the cache.
type Snapshot struct {
	Repo   Repo
	Commit string
	Dir    string   // holds the files under their names
	Files  []string // those asked for, with forward slashes, sorted

	// SHA256 are the checksums, in hexadecimal, of large files in the commit, as far as
	// they are known. Cached does not compare the files with them.
	SHA256 map[string]string

	// Replaced are those of Files whose content in the cache differed from the commit's,
	// so that Pull replaced it.
	Replaced []string

	// Complete says that the files were compared with a list of those in the commit. It is
	// false where there is no such list, because another program filled the cache or the
	// server's list was incomplete.
	Complete bool
}

// add adds a file.
func (s *Snapshot) add(f file) {
	s.Files = append(s.Files, f.name)
	if f.lfs {
		if s.SHA256 == nil {
			s.SHA256 = make(map[string]string)
		}
		s.SHA256[f.name] = f.sum
	}
}

// Path returns the path of a file.
func (s Snapshot) Path(file string) string { return filepath.Join(s.Dir, filepath.FromSlash(file)) }

// Cached finds a repository in the cache without asking a server. Patterns are those of Pull.
// The error wraps ErrNotCached where the repository is not there, or where files that the
// patterns ask for are known to be missing.
func (c *Client) Cached(repo Repo, patterns ...string) (Snapshot, error) {
	if err := repo.check(); err != nil {
		return Snapshot{}, err
	}
	root := filepath.Join(c.Cache, repo.folder())
	commit := repo.revision()
	if !commitPattern.MatchString(commit) {
		data, err := inputs.ReadFile(filepath.Join(root, "refs", filepath.FromSlash(commit)))
		if errors.Is(err, fs.ErrNotExist) {
			return Snapshot{}, c.notCached(repo, root)
		}
		if err != nil {
			return Snapshot{}, err
		}
		if commit = strings.TrimSpace(string(data)); !commitPattern.MatchString(commit) {
			return Snapshot{}, fmt.Errorf("%s: %.80q is not a commit", filepath.Join(root, "refs", repo.revision()), commit)
		}
	}
	snapshot := Snapshot{Repo: repo, Commit: commit, Dir: filepath.Join(root, "snapshots", commit)}
	here, err := filesUnder(snapshot.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return Snapshot{}, c.notCached(repo, root)
	}
	if err != nil {
		return Snapshot{}, err
	}
	want := here
	full, err := readTree(root, commit)
	switch {
	case err == nil:
		want, snapshot.Complete = full, true
	case !errors.Is(err, fs.ErrNotExist):
		return Snapshot{}, err
	}
	matched, err := want.match(repo, patterns)
	if err != nil {
		return Snapshot{}, fmt.Errorf("in the cache at %s: %w: %w", snapshot.Dir, err, ErrNotCached)
	}
	var missing []string
	for _, f := range matched {
		if slices.ContainsFunc(here.files, func(h file) bool { return h.name == f.name }) {
			snapshot.add(f)
		} else {
			missing = append(missing, f.name)
		}
	}
	if len(missing) > 0 {
		return Snapshot{}, fmt.Errorf("%s %s is only partly in the cache: %d of %d files are missing in %s, among them %s: %w",
			repo.Kind, repo, len(missing), len(matched), snapshot.Dir, missing[0], ErrNotCached)
	}
	return snapshot, nil
}

func (c *Client) notCached(repo Repo, root string) error {
	have := ""
	if r, err := readRepo(root, repo); err == nil {
		var names []string
		for _, s := range r.Snapshots {
			names = append(names, append(slices.Clone(s.Refs), s.Commit)...)
		}
		if len(names) > 0 {
			have = ": it has " + strings.Join(names, ", ")
		}
	}
	return fmt.Errorf("%s %s is %w %s%s", repo.Kind, repo, ErrNotCached, c.Cache, have)
}

// filesUnder lists the files of a snapshot folder, without links to missing files.
func filesUnder(dir string) (listing, error) {
	var l listing
	err := filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := os.Stat(p) // of what the link points to
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() {
			return nil
		}
		name, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		l.files = append(l.files, file{name: filepath.ToSlash(name), size: info.Size()})
		return nil
	})
	slices.SortFunc(l.files, func(a, b file) int { return strings.Compare(a.name, b.name) })
	return l, err
}

// treeFile is the content of trees/COMMIT.json, in the form huggingface_hub 2
// writes and reads.
type treeFile struct {
	FormatVersion int                  `json:"format_version"`
	Files         map[string]treeEntry `json:"files"`
}

type treeEntry struct {
	Size      int64  `json:"size"`
	BlobID    string `json:"blob_id"`
	LFSSHA256 string `json:"lfs_sha256,omitempty"`
	LFSSize   *int64 `json:"lfs_size,omitempty"`
}

func readTree(root, commit string) (listing, error) {
	path := filepath.Join(root, "trees", commit+".json")
	data, err := inputs.ReadFile(path)
	if err != nil {
		return listing{}, err
	}
	l, err := parseTree(data)
	if err != nil {
		return listing{}, fmt.Errorf("%s: %w", path, err)
	}
	l.commit = commit
	return l, nil
}

func parseTree(data []byte) (listing, error) {
	var t treeFile
	if err := json.Unmarshal(data, &t); err != nil {
		return listing{}, err
	}
	if t.FormatVersion != 1 {
		return listing{}, fmt.Errorf("format_version %d: have 1: %w", t.FormatVersion, fs.ErrNotExist) // as good as none
	}
	var l listing
	for name, e := range t.Files {
		if err := checkName(name); err != nil {
			return listing{}, err
		}
		f := file{name: name, size: e.Size}
		if e.LFSSHA256 != "" {
			if !sha256Pattern.MatchString(e.LFSSHA256) {
				return listing{}, fmt.Errorf("file %q: lfs_sha256 %.80q", name, e.LFSSHA256)
			}
			f.sum, f.lfs = e.LFSSHA256, true
		}
		l.files = append(l.files, f)
	}
	slices.SortFunc(l.files, func(a, b file) int { return strings.Compare(a.name, b.name) })
	return l, l.checkTree()
}

// writeTree writes the list of the commit's files. That needs the size and git's id of each;
// where the listing of a mirror lacks one, nothing is written.
func writeTree(root string, l listing) (written bool, err error) {
	if old, err := readTree(root, l.commit); err == nil && slices.EqualFunc(old.files, l.files, func(a, b file) bool { return a.name == b.name }) {
		return true, nil // Python's may say more than ours
	}
	t := treeFile{FormatVersion: 1, Files: make(map[string]treeEntry, len(l.files))}
	for _, f := range l.files {
		if f.blobID == "" {
			return false, nil
		}
		e := treeEntry{Size: f.size, BlobID: f.blobID}
		if f.lfs {
			e.LFSSHA256, e.LFSSize = f.sum, &f.size
		}
		t.Files[f.name] = e
	}
	data, err := json.MarshalIndent(t, "", "  ")
	if err != nil {
		return false, err
	}
	return true, writeWhole(filepath.Join(root, "trees", l.commit+".json"), data)
}

// temporary is a name beside path that no other writer uses, in this process
// or another.
func temporary(path string) string { return fmt.Sprintf("%s.%016x.tmp", path, rand.Uint64()) }

// writeWhole writes a small file so that no reader sees a part of it.
func writeWhole(path string, data []byte) error {
	if old, err := inputs.ReadFile(path); err == nil && string(old) == string(data) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	partial := temporary(path)
	f, err := os.OpenFile(partial, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(partial, path)
	}
	if err != nil {
		os.Remove(partial)
	}
	return err
}

// CachedRepo is a repository in the cache.
type CachedRepo struct {
	Repo      Repo // without a revision
	Dir       string
	Bytes     int64 // of its blobs, partial ones included
	Snapshots []CachedSnapshot
}

// CachedSnapshot is one commit of a repository in the cache.
type CachedSnapshot struct {
	Commit string
	Refs   []string // branches and tags that were this commit when they were pulled, sorted
	Files  []string // sorted
	Bytes  int64    // of its files
}

// List returns the models and datasets in the cache, by kind and name. A cache that does not
// exist is empty. With an error about what cannot be read, it still returns the others.
func (c *Client) List() ([]CachedRepo, error) {
	entries, err := os.ReadDir(c.Cache)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []CachedRepo
	var errs []error
	for _, e := range entries {
		repo, ok := repoOfFolder(e.Name())
		if !ok || !e.IsDir() {
			continue
		}
		r, err := readRepo(filepath.Join(c.Cache, e.Name()), repo)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b CachedRepo) int {
		if a.Repo.Kind != b.Repo.Kind {
			return int(a.Repo.Kind) - int(b.Repo.Kind)
		}
		return strings.Compare(a.Repo.ID, b.Repo.ID)
	})
	return all, errors.Join(errs...)
}

func readRepo(root string, repo Repo) (CachedRepo, error) {
	repo.Revision = ""
	r := CachedRepo{Repo: repo, Dir: root}
	refs := make(map[string][]string)
	refsDir := filepath.Join(root, "refs")
	err := filepath.WalkDir(refsDir, func(p string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || e.IsDir() {
			return err
		}
		data, err := inputs.ReadFile(p)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(refsDir, p)
		if err != nil {
			return err
		}
		commit := strings.TrimSpace(string(data))
		refs[commit] = append(refs[commit], filepath.ToSlash(name))
		return nil
	})
	if err != nil {
		return CachedRepo{}, err
	}
	blobs, err := os.ReadDir(filepath.Join(root, "blobs"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return CachedRepo{}, err
	}
	for _, b := range blobs {
		info, err := b.Info()
		if err != nil {
			return CachedRepo{}, err
		}
		r.Bytes += info.Size()
	}
	snapshots, err := os.ReadDir(filepath.Join(root, "snapshots"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return CachedRepo{}, err
	}
	for _, e := range snapshots {
		if !e.IsDir() {
			continue
		}
		l, err := filesUnder(filepath.Join(root, "snapshots", e.Name()))
		if err != nil {
			return CachedRepo{}, err
		}
		s := CachedSnapshot{Commit: e.Name(), Refs: refs[e.Name()]}
		slices.Sort(s.Refs)
		for _, f := range l.files {
			s.Files = append(s.Files, f.name)
			s.Bytes += f.size
		}
		r.Snapshots = append(r.Snapshots, s)
	}
	return r, nil
}
