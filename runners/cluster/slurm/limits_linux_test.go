package slurm_test

import (
	"os"
	"slices"
	"testing"
	"time"

	"github.com/snapbench/snapbench/runners/cluster"
	_ "github.com/snapbench/snapbench/runners/cluster/slurm"
)

// Before its time limit a part ends at a sample's end and queues up again.
func timeLimit(t *testing.T, s *suite) {
	j := s.job(t, "limit", 1, s.many)
	j.work.Arguments = slices.Clone(j.work.Arguments)
	j.work.Arguments[3] = "1k"
	// The least limit is a minute, of which the grace leaves some seconds.
	j.work.EngineArgs, j.work.Grace = append(j.work.EngineArgs, "--time=1"), 56*time.Second
	j.submit()
	j.until("the part was started twice", func() bool { list, _ := j.attempts(0); return len(list) >= 2 })
	if _, had := j.attempts(0); len(had) < 2 {
		j.atWork(0)
	}
	j.logHas(0, "ended as asked with")
	// It has shown what it should; the rest of its samples take a while.
	if os.Getenv("SNAPBENCH_LONG") == "" {
		s.Command(t, "scancel", j.id)
		j.ended(0, cluster.Failed)
		return
	}
	j.ended(0, cluster.Ended)
	if n := len(rows(t, j.work.Out)); n != 180 {
		t.Errorf("%d rows, want 180", n)
	}
}

// Where the time does not suffice for one sample a part fails: it would be started again
// for ever.
func timeTooShort(t *testing.T, s *suite) {
	j := s.job(t, "limit", 1, question{arguments: []string{"needle", "--lengths", "15k", "--depths", "1", "--budgets", "full", "--device", "cpu", "--quiet"}})
	j.work.Grace = 8 * time.Second
	j.submit()
	j.until("the part has begun", func() bool { _, had := j.attempts(0); return len(had) > 0 })
	s.Command(t, "scancel", "--batch", "--signal=USR1", j.id+"_0")
	j.ended(0, cluster.Failed)
	j.logHas(0, "give the part more time")
	if list, had := j.attempts(0); len(list) != 1 || had[list[0]] != 0 {
		t.Errorf("attempts %v with rows %v", list, had)
	}
}
