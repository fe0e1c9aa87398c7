package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxListing bounds an answer of the API in bytes. That for a repository of 100,000 files has
// about 20 MB.
const maxListing = 256 << 20

// A file of a repository at a commit.
type file struct {
	name string // with forward slashes
	size int64
	sum  string // SHA-256 if lfs, else git's SHA-1 of the blob; "" until it was asked for
	lfs  bool

	blobID string // git's, of the pointer if lfs; "" if the listing has none
}

// listing is the files of a repository at a commit, sorted by name.
type listing struct {
	commit string
	files  []file
}

// list asks the hub for the commit of the revision and its files.
func (s *session) list(ctx context.Context, repo Repo) (listing, error) {
	resp, err := s.do(ctx, s.http, http.MethodGet, repo.api()+"/revision/"+url.PathEscape(repo.revision())+"?blobs=true", nil)
	if err != nil {
		return listing{}, fmt.Errorf("asking for %s %s: %w", repo.Kind, repo, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return listing{}, s.refused(ctx, repo, "", resp)
	}
	data, err := readAnswer(resp, maxListing, s.answer())
	if err != nil {
		return listing{}, fmt.Errorf("asking for %s %s: %w", repo.Kind, repo, err)
	}
	l, err := parseListing(data)
	if err != nil {
		return listing{}, fmt.Errorf("%s describes %s %s in a way that can't be used: %w", s.Endpoint, repo.Kind, repo, err)
	}
	return l, nil
}

// parseListing reads the hub's description of a repository. It refuses names and checksums
// that must not be part of a path.
func parseListing(data []byte) (listing, error) {
	if len(data) > maxListing {
		return listing{}, fmt.Errorf("more than %d bytes", maxListing)
	}
	var answer struct {
		SHA      string `json:"sha"`
		Siblings []struct {
			Name   string `json:"rfilename"`
			Size   *int64 `json:"size"`
			BlobID string `json:"blobId"`
			LFS    *struct {
				SHA256 string `json:"sha256"`
				Size   *int64 `json:"size"`
			} `json:"lfs"`
		} `json:"siblings"`
	}
	if err := json.Unmarshal(data, &answer); err != nil {
		return listing{}, fmt.Errorf("%w, in %.80q", err, data)
	}
	if !commitPattern.MatchString(answer.SHA) {
		return listing{}, fmt.Errorf("sha %.80q is not a commit", answer.SHA)
	}
	l := listing{commit: answer.SHA}
	for _, e := range answer.Siblings {
		if err := checkName(e.Name); err != nil {
			return listing{}, err
		}
		f := file{name: e.Name, size: -1, blobID: e.BlobID}
		if e.BlobID != "" && !commitPattern.MatchString(e.BlobID) {
			return listing{}, fmt.Errorf("file %q: blobId %.80q", e.Name, e.BlobID)
		}
		switch {
		case e.LFS != nil:
			if !sha256Pattern.MatchString(e.LFS.SHA256) {
				return listing{}, fmt.Errorf("file %q: sha256 %.80q", e.Name, e.LFS.SHA256)
			}
			f.sum, f.lfs = e.LFS.SHA256, true
			if e.LFS.Size != nil {
				f.size = *e.LFS.Size
			} else if e.Size != nil {
				f.size = *e.Size
			}
		case e.BlobID != "":
			f.sum = e.BlobID
			if e.Size != nil {
				f.size = *e.Size
			}
		}
		if f.sum != "" && f.size < 0 {
			return listing{}, fmt.Errorf("file %q: no size, or a negative one", e.Name)
		}
		l.files = append(l.files, f)
	}
	slices.SortFunc(l.files, func(a, b file) int { return strings.Compare(a.name, b.name) })
	return l, l.checkTree()
}

// checkTree refuses names that occur twice, or as both file and folder.
func (l listing) checkTree() error {
	names := make(map[string]bool, len(l.files))
	for _, f := range l.files {
		if names[f.name] {
			return fmt.Errorf("file %q twice", f.name)
		}
		names[f.name] = true
	}
	for _, f := range l.files {
		for dir := path.Dir(f.name); dir != "."; dir = path.Dir(dir) {
			if names[dir] {
				return fmt.Errorf("%q is both a file and the folder of %q", dir, f.name)
			}
		}
	}
	return nil
}

// checkName refuses names of files that would lead out of the snapshot, or
// that mean different things on different systems.
func checkName(name string) error {
	if name == "" || len(name) > 1024 || !utf8.ValidString(name) || path.Clean(name) != name || path.IsAbs(name) ||
		!filepath.IsLocal(name) || name == "." || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' || r == ':' }) {
		return fmt.Errorf("file name %.200q is not a plain path inside the repository", name)
	}
	for _, part := range strings.Split(name, "/") {
		if len(part) > 255 {
			return fmt.Errorf("file name %.200q is too long", name)
		}
	}
	return nil
}

// match returns the files whose names match one of the patterns, or all files if there are no
// patterns. Patterns are those of path.Match for the whole name, so that * does not match a
// slash. It is an error if a plain name matches nothing, or all patterns together do.
func (l listing) match(repo Repo, patterns []string) ([]file, error) {
	if len(patterns) == 0 {
		return l.files, nil
	}
	var out []file
	used := make([]bool, len(patterns))
	for _, f := range l.files {
		found := false
		for i, p := range patterns {
			ok, err := path.Match(p, f.name)
			if err != nil {
				return nil, fmt.Errorf("pattern %q: %w", p, err)
			}
			used[i] = used[i] || ok
			found = found || ok
		}
		if found {
			out = append(out, f)
		}
	}
	for i, p := range patterns {
		if !used[i] && !strings.ContainsAny(p, `*?[\`) {
			return nil, fmt.Errorf("%s %s has no file %q: it has %s: %w", repo.Kind, repo, p, l.some(), ErrNotFound)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s %s has no file like %q: it has %s: %w", repo.Kind, repo, patterns, l.some(), ErrNotFound)
	}
	return out, nil
}

// some names a few of the files.
func (l listing) some() string {
	if len(l.files) == 0 {
		return "no files"
	}
	var names []string
	for _, f := range l.files[:min(len(l.files), 20)] {
		names = append(names, f.name)
	}
	if n := len(l.files) - len(names); n > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names, ", "), n)
	}
	return strings.Join(names, ", ")
}

// describe asks for the size and checksum of a file where the listing lacks them, as the
// listings of some mirrors do.
func (s *session) describe(ctx context.Context, repo Repo, commit string, f *file) error {
	resp, err := s.do(ctx, s.direct, http.MethodHead, repo.resolve(commit, f.name), nil)
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode >= 400 {
		return s.refused(ctx, repo, f.name, resp)
	}
	etag, size := resp.Header.Get("X-Linked-Etag"), resp.Header.Get("X-Linked-Size")
	if etag == "" {
		etag = resp.Header.Get("ETag")
	}
	if size == "" && resp.StatusCode == http.StatusOK {
		size = resp.Header.Get("Content-Length")
	}
	f.sum = strings.Trim(strings.TrimPrefix(etag, "W/"), `"`)
	f.lfs = sha256Pattern.MatchString(f.sum)
	if !f.lfs && !commitPattern.MatchString(f.sum) {
		return fmt.Errorf("%s %s: %s gives no checksum for %q (ETag %.80q), so it can't be checked", repo.Kind, repo, s.Endpoint, f.name, etag)
	}
	if f.size, err = strconv.ParseInt(size, 10, 64); err != nil || f.size < 0 {
		return fmt.Errorf("%s %s: %s gives no size for %q (%.80q)", repo.Kind, repo, s.Endpoint, f.name, size)
	}
	return nil
}

// revisions lists the branches and tags for a message, or nothing if the server does not give
// them.
func (s *session) revisions(ctx context.Context, repo Repo) string {
	var answer struct {
		Branches, Tags []struct{ Name string }
	}
	if s.ask(ctx, repo.api()+"/refs", &answer) != nil {
		return ""
	}
	var names []string
	for _, r := range append(answer.Branches, answer.Tags...) {
		names = append(names, strconv.Quote(r.Name))
	}
	if len(names) == 0 {
		return ""
	}
	if len(names) > 20 {
		names = append(names[:20], "…")
	}
	return ": it has " + strings.Join(names, ", ")
}

// otherKind says in a message whether a repository of the other kind has the name.
func (s *session) otherKind(ctx context.Context, repo Repo) string {
	other := repo
	other.Kind = Dataset - repo.Kind
	var answer struct{ SHA string }
	if s.ask(ctx, other.api(), &answer) != nil || answer.SHA == "" {
		return ""
	}
	return fmt.Sprintf("there is a %s of that name", other.Kind)
}

// ask gets a small JSON answer for a message, without repeated attempts.
func (s *session) ask(ctx context.Context, path string, answer any) error {
	once := *s.Client
	once.Attempts = 1
	quick := &session{Client: &once, http: s.http, direct: s.direct}
	resp, err := quick.do(ctx, s.http, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	data, err := readAnswer(resp, 1<<20, s.stall())
	if err != nil {
		return err
	}
	return json.Unmarshal(data, answer)
}
