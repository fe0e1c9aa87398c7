package kubernetes

import (
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"strings"

	"github.com/snapbench/snapbench/runners/cluster"
)

// mount is where pods see a claim that this machine does not.
const mount = "/runs"

// claim is a volume that the pods share.
type claim struct {
	Name string
	Dir  string // where it is mounted
	here bool   // on this machine too
}

// parseClaim reads NAME, a claim that pods alone see, or NAME=DIR, one that is mounted at
// DIR on this machine, and is so in the pods.
func parseClaim(text string) (claim, error) {
	name, dir, here := strings.Cut(text, "=")
	switch {
	case text == "":
		return claim{}, errors.New("kubernetes: the parts need a volume that many nodes may write: --claim NAME, or --claim NAME=DIR where it is mounted at DIR on this machine too")
	case name == "":
		return claim{}, fmt.Errorf("--claim %q: want NAME or NAME=DIR", text)
	case !here:
		return claim{Name: name, Dir: mount}, nil
	case !path.IsAbs(dir) || path.Clean(dir) == "/":
		return claim{}, fmt.Errorf("--claim %q: %q: want the folder, as an absolute path, at which this machine has the claim's volume", text, dir)
	}
	return claim{Name: name, Dir: path.Clean(dir), here: true}, nil
}

// Place implements [cluster.Placer]. A folder in a claim that this machine has mounted
// keeps its path. One in a claim that it has not is below /runs, as it is here below the
// folder in which the command was given, or by its name alone.
func (engine) Place(dir string, w *cluster.Work) error {
	c, err := parseClaim(w.Claim)
	if err != nil {
		return err
	}
	dir = path.Clean(filepath.ToSlash(dir))
	switch w.Unseen = !c.here; {
	case below(dir, c.Dir):
		w.Out = dir
	case c.here:
		return fmt.Errorf("--out %s is not below %s, where claim %s is mounted: name a folder there, or --claim %s for one that only the pods see", dir, c.Dir, c.Name, c.Name)
	case below(dir, filepath.ToSlash(w.Dir)):
		w.Out = path.Join(c.Dir, strings.TrimPrefix(dir, filepath.ToSlash(w.Dir)))
	default:
		w.Out = path.Join(c.Dir, path.Base(dir))
	}
	return nil
}

// dir is where the command runs in a pod: where it was given, if the pods have that; the
// claim itself where relative paths are taken from there; else where the image says.
func (c claim) dir(w cluster.Work) string {
	switch dir := filepath.ToSlash(w.Dir); {
	case !c.here:
		return c.Dir
	case dir == c.Dir || below(dir, c.Dir):
		return dir
	}
	return ""
}

// below says whether a cleaned path is inside a folder.
func below(dir, root string) bool { return strings.HasPrefix(dir, root+"/") }
