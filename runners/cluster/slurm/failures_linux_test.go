package slurm_test

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/results/parts"
	"github.com/snapbench/snapbench/runners/cluster"
	_ "github.com/snapbench/snapbench/runners/cluster/slurm"
)

// The part goes to another node, which skips what the dead one had finished.
func nodeDies(t *testing.T, s *suite) {
	j := s.job(t, "dies", 2, s.many)
	j.work.EngineArgs = append(j.work.EngineArgs, "--exclusive")
	release := j.hold(0)
	j.submit()
	j.atWork(0)
	s.Kill(t, j.node(0))
	release()
	j.allEnded()
	list, had := j.attempts(0)
	if len(list) != 2 || had[list[0]] == 0 || had[list[0]]+had[list[1]] != 90 {
		t.Errorf("attempts at part 0: %v with %v rows, want two with 90 together", list, had)
	}
	j.joined()
}

// A node that hangs is taken for dead, so its part is made elsewhere. What it does when it
// thaws changes nothing.
func nodeHangs(t *testing.T, s *suite) {
	var j *job
	node := ""
	for { // not held, since a grade that is given late is none; where the part was faster than this test, again
		j = s.job(t, "hangs", 2, s.many)
		j.work.EngineArgs = append(j.work.EngineArgs, "--exclusive")
		j.submit()
		j.until("part 0 has a node", func() bool { node = j.node(0); return node != "" || !j.states()[0].Live() })
		j.atWork(0)
		if node != "" {
			s.Hang(t, node)
			if list, had := j.attempts(0); had[list[0]] < 90 {
				break
			}
			s.Thaw(t, node)
		}
		j.allEnded()
	}
	j.until("all parts have ended", func() bool {
		folder, err := parts.Look(j.work.Out)
		return err == nil && len(folder.Unfinished(2)) == 0
	})
	j.allEnded()
	j.joined()
	s.Thaw(t, node)
	before, _ := j.attempts(0)
	time.Sleep(3 * time.Second) // in which it writes what it had in mind
	if after, _ := j.attempts(0); len(before) != 2 || !slices.Equal(before, after) {
		t.Errorf("attempts at part 0: %v, then %v", before, after)
	}
	j.joined()
	if said, err := exec.Command(s.program, "results", "join", j.work.Out).CombinedOutput(); err != nil {
		t.Errorf("joined again: %v\n%s", err, said)
	}
	j.joined()
}

// A part that cannot run fails, with its reason in the log; submitted again it completes
// the run.
func partFails(t *testing.T, s *suite) {
	j := s.job(t, "fails", 3, s.few)
	// A file is where the part's folder would be.
	path := filepath.Join(j.work.Out, results.PartsDir, "1-of-3")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	j.submit()
	j.ended(0, cluster.Ended)
	j.ended(1, cluster.Failed)
	j.ended(2, cluster.Ended)
	j.logHas(1, "1-of-3")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	j.submit(1)
	j.ended(1, cluster.Ended)
	if got := j.states(); len(got) != 1 {
		t.Errorf("submitted again: %v, want part 1 alone", got)
	}
	j.joined()
}

// What a person stops stays stopped, and its rows stay.
func partCancelled(t *testing.T, s *suite) {
	j := s.job(t, "stops", 2, s.many)
	j.work.AtOnce = 1
	release := j.hold(0)
	j.submit()
	j.atWork(0)
	s.Command(t, "scancel", j.id+"_0")
	release()
	j.ended(0, cluster.Failed)
	j.ended(1, cluster.Ended)
	list, had := j.attempts(0)
	if len(list) != 1 || had[list[0]] == 0 || had[list[0]] == 90 {
		t.Fatalf("attempts at part 0: %v with %v rows, want one with some of 90", list, had)
	}
	if got := j.states()[0]; got != cluster.Failed {
		t.Errorf("the part that was cancelled is %v", got)
	}
	j.submit(0)
	j.ended(0, cluster.Ended)
	j.joined()
}

// A part that others push away queues up again, and goes on.
func preempted(t *testing.T, s *suite) {
	j := s.job(t, "low", 1, s.many)
	release := j.hold(0)
	j.submit()
	j.atWork(0)
	s.Command(t, "sbatch", "--partition=high", "--exclusive", "--output=/dev/null", "--wrap=true")
	j.until("the part is not at work any more", func() bool { return j.states()[0] != cluster.Running })
	release()
	j.allEnded()
	if list, had := j.attempts(0); len(list) != 2 || had[list[0]] == 0 || had[list[0]]+had[list[1]] != 180 {
		t.Errorf("attempts %v with %v rows, want two with 180 together", list, had)
	}
	j.joined()
}

// A part that is asked to end does so at a sample's end, queues up again, alone, and goes
// on.
func askedToEnd(t *testing.T, s *suite) {
	j := s.job(t, "asked", 2, s.many)
	j.work.AtOnce = 1
	release := j.hold(1)
	j.submit()
	j.ended(0, cluster.Ended)
	j.atWork(1)
	s.Command(t, "scancel", "--batch", "--signal=USR1", j.id+"_1")
	release()
	j.allEnded()
	if list, _ := j.attempts(0); len(list) != 1 {
		t.Errorf("attempts at part 0, which had ended: %v", list)
	}
	if list, had := j.attempts(1); len(list) != 2 || had[list[0]] == 0 || had[list[0]]+had[list[1]] != 90 {
		t.Errorf("attempts at part 1: %v with %v rows, want two with 90 together", list, had)
	}
	j.logHas(1, "ended as asked with")
	j.joined()
}

// Nodes lose their power and are back seconds later, again and again.
func storm(t *testing.T, s *suite) {
	if os.Getenv("SNAPBENCH_LONG") == "" {
		t.Skip("minutes: SNAPBENCH_LONG=1")
	}
	const kills = 40
	j := s.job(t, "storm", 7, s.many)
	j.submit()
	nodes := s.Nodes("storm")
	over := func() bool {
		states := j.states()
		return len(states) == 7 && !slices.ContainsFunc(j.work.Parts, func(part int) bool { return states[part].Live() })
	}
	starts := 0
	finish := func() {
		j.joined()
		for part := range 7 {
			list, _ := j.attempts(part)
			starts += len(list) - 1
		}
	}
	for range kills {
		if over() { // once more, from the first row
			finish()
			j = s.job(t, "storm", 7, s.many)
			j.submit()
		}
		time.Sleep(time.Duration(rand.IntN(3000)) * time.Millisecond)
		node := nodes[rand.IntN(len(nodes))]
		s.Kill(t, node)
		time.Sleep(time.Duration(rand.IntN(2000)) * time.Millisecond)
		s.Return(t, node, "")
	}
	j.allEnded()
	finish()
	if t.Logf("%d times a part was started again", starts); starts < kills/10 {
		t.Errorf("of %d kills %d met a part", kills, starts)
	}
}
