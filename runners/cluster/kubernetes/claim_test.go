package kubernetes

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners/cluster"
)

func TestPlace(t *testing.T) {
	t.Chdir("/")
	for _, c := range []struct {
		claim, out, want string
		unseen           bool
	}{
		{"results", "lb", "/runs/lb", true},
		{"results", "runs/lb", "/runs/runs/lb", true},
		{"results", "/runs/team/lb", "/runs/team/lb", true},
		{"results=/shared", "/shared/lb", "/shared/lb", false},
		{"results=/shared/", "/shared/a/../lb", "/shared/lb", false},
		{"results=/shared", "shared/lb", "/shared/lb", false},
	} {
		w := cluster.Work{Claim: c.claim}
		if err := (engine{}).Place(c.out, &w); err != nil {
			t.Errorf("--claim %s --out %s: %v", c.claim, c.out, err)
		} else if w.Out != c.want || w.Unseen != c.unseen {
			t.Errorf("--claim %s --out %s: %s, unseen %v, want %s, %v", c.claim, c.out, w.Out, w.Unseen, c.want, c.unseen)
		}
	}
	for _, c := range []struct{ claim, out, want string }{
		{"results", "../lb", "--out ../lb"},
		{"results", "/home/lb", "at /runs"},
		{"results", ".", "below that"},
		{"results=/shared", "/shared", "below /shared"},
		{"results=/shared", "/sharedlb", "below /shared"},
		{"results=/shared", "/shared/../lb", "below /shared"},
		{"", "lb", "--claim NAME"},
	} {
		err := (engine{}).Place(c.out, &cluster.Work{Claim: c.claim})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("--claim %s --out %s: error %v, want one with %q", c.claim, c.out, err, c.want)
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
