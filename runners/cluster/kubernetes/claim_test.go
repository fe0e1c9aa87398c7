package kubernetes

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners/cluster"
)

func TestPlace(t *testing.T) {
	for _, c := range []struct {
		claim, dir, want string
		unseen           bool
	}{
		{"results", "/home/me/lb", "/runs/lb", true},
		{"results", "/home/me/runs/lb", "/runs/runs/lb", true},
		{"results", "/home/me/../you/lb", "/runs/lb", true},
		{"results", "/runs/team/lb", "/runs/team/lb", true},
		{"results=/shared", "/shared/lb", "/shared/lb", false},
		{"results=/shared/", "/shared/a/../lb", "/shared/lb", false},
	} {
		w := cluster.Work{Claim: c.claim, Dir: "/home/me"}
		if err := (engine{}).Place(c.dir, &w); err != nil {
			t.Errorf("--claim %s --out %s: %v", c.claim, c.dir, err)
		} else if w.Out != c.want || w.Unseen != c.unseen {
			t.Errorf("--claim %s --out %s: %s, unseen %v, want %s, %v", c.claim, c.dir, w.Out, w.Unseen, c.want, c.unseen)
		}
	}
	for _, c := range []struct{ claim, dir, want string }{
		{"results=/shared", "/shared", "below /shared"},
		{"results=/shared", "/sharedlb", "below /shared"},
		{"results=/shared", "/shared/../lb", "below /shared"},
		{"", "/home/me/lb", "--claim NAME"},
	} {
		err := (engine{}).Place(c.dir, &cluster.Work{Claim: c.claim, Dir: "/home/me"})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("--claim %s --out %s: error %v, want one with %q", c.claim, c.dir, err, c.want)
		}
	}
}

func TestRelativePathsMeanTheSameInPods(t *testing.T) {
	for _, c := range []struct{ claim, dir, out, want string }{
		{"results=/shared", "/shared", "/shared/lb", "/shared"},
		{"results=/shared", "/shared/work", "/shared/lb", "/shared/work"},
		{"results=/shared", "/home/me", "/shared/lb", ""},
		{"results", "/home/me", "/runs/lb", "/runs"},
	} {
		w := small()
		w.Claim, w.Dir, w.Out = c.claim, filepath.FromSlash(c.dir), c.out
		if got := parse(t, w).Spec.Template.Spec.Containers[0].WorkingDir; got != c.want {
			t.Errorf("--claim %s in %s: the pods work in %q, want %q", c.claim, c.dir, got, c.want)
		}
	}
}
