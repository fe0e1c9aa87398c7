package hub

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// Kind is what a repository holds. Repositories of different kinds may have the same name.
type Kind uint8

// The kinds of repository.
const (
	Model Kind = iota
	Dataset
)

func (k Kind) String() string {
	if k == Dataset {
		return "dataset"
	}
	return "model"
}

// Repo names a repository at a revision.
type Repo struct {
	Kind     Kind
	ID       string // org/name, or a bare name for the oldest ones
	Revision string // a branch, a tag or a commit; "" is main
}

// ParseRepo reads org/name or org/name@revision.
func ParseRepo(kind Kind, s string) (Repo, error) {
	id, revision, at := strings.Cut(s, "@")
	r := Repo{Kind: kind, ID: id, Revision: revision}
	if at && revision == "" {
		return Repo{}, fmt.Errorf("%q has an @ and no revision after it", s)
	}
	return r, r.check()
}

func (r Repo) String() string {
	if r.Revision == "" {
		return r.ID
	}
	return r.ID + "@" + r.Revision
}

func (r Repo) revision() string {
	if r.Revision == "" {
		return "main"
	}
	return r.Revision
}

// The hub's own rules for names; revisions are those of git, narrowed to what
// is safe as a path under refs.
var (
	idPattern       = regexp.MustCompile(`^([A-Za-z0-9_]([A-Za-z0-9._-]{0,94}[A-Za-z0-9_])?/)?[A-Za-z0-9_]([A-Za-z0-9._-]{0,94}[A-Za-z0-9_])?$`)
	revisionPattern = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._+-]*(/[A-Za-z0-9_][A-Za-z0-9._+-]*)*$`)
	commitPattern   = regexp.MustCompile(`^[0-9a-f]{40}$`)
	sha256Pattern   = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

func (r Repo) check() error {
	if !idPattern.MatchString(r.ID) || strings.Contains(r.ID, "--") || strings.Contains(r.ID, "..") || strings.HasSuffix(r.ID, ".git") {
		return fmt.Errorf("%q is not the name of a repository: it should look like org/name or org/name@revision", r.ID)
	}
	if rev := r.revision(); !revisionPattern.MatchString(rev) || len(rev) > 200 || strings.Contains(rev, "..") {
		return fmt.Errorf("%q is not a revision: it should be a branch, a tag or a commit of %s", rev, r.ID)
	}
	return nil
}

// folder is the repository's directory in the cache.
func (r Repo) folder() string {
	return r.Kind.String() + "s--" + strings.ReplaceAll(r.ID, "/", "--")
}

// repoOfFolder is the inverse of folder.
func repoOfFolder(name string) (Repo, bool) {
	kind, id, ok := strings.Cut(name, "--")
	r := Repo{ID: strings.ReplaceAll(id, "--", "/")}
	switch kind {
	case "models":
	case "datasets":
		r.Kind = Dataset
	default:
		return Repo{}, false
	}
	return r, ok && r.check() == nil
}

// page is the address of the repository for people, api that for programs.
func (r Repo) page() string {
	if r.Kind == Dataset {
		return "datasets/" + r.ID
	}
	return r.ID
}

func (r Repo) api() string { return "api/" + r.Kind.String() + "s/" + r.ID }

// resolve is the path of a file at a commit.
func (r Repo) resolve(commit, file string) string {
	parts := strings.Split(file, "/")
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return r.page() + "/resolve/" + url.PathEscape(commit) + "/" + strings.Join(parts, "/")
}
