package slurm_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/snapbench/snapbench/results"
	_ "github.com/snapbench/snapbench/runners/cluster/slurm"
	"github.com/snapbench/snapbench/runners/cluster/slurmtest"
)

// suite is a cluster, the program, and what one process makes of two questions.
type suite struct {
	*slurmtest.Cluster
	program   string
	many, few question
}

// question is a command, and what one process answers.
type question struct {
	arguments []string
	rows      []string // without what differs from run to run
}

// Each scenario has nodes of its own.
var partitions = []slurmtest.Partition{
	{Name: "many", Nodes: 4}, {Name: "dies", Nodes: 2}, {Name: "hangs", Nodes: 2}, {Name: "fails", Nodes: 1}, {Name: "stops", Nodes: 1},
	{Name: "limit", Nodes: 1}, {Name: "hides", Nodes: 2}, {Name: "other", Nodes: 2}, {Name: "busy", Nodes: 1}, {Name: "command", Nodes: 2}, {Name: "whole", Nodes: 2}, {Name: "asked", Nodes: 1}, {Name: "storm", Nodes: 3},
	{Name: "low", Nodes: 1}, {Name: "high", Over: "low"},
}

// ask returns the command that asks so many samples under three variants, graded by a program. Each sample
// takes a tenth of a second.
func ask(grade, depths, trials string) []string {
	return []string{"eval", "niah", "--lengths", "384", "--depths", depths, "--trials", trials, "--budgets", "full,48,96", "--windows", "16", "--kernels", "5", "--device", "cpu",
		"--metric", "command:" + grade, "--quiet"}
}

// grading gives every answer all points. But where the working directory has a file "hold" with the pattern of a file's
// name, it gives none from when such a file has something until "hold" is gone ([job.hold]).
const grading = `#!/bin/sh
trap '' TERM USR1 # which Slurm sends to all
for f in $(cat hold 2>/dev/null); do
	while test -s "$f" && test -e hold; do sleep 0.05; done
done
echo 1
`

func newSuite(t *testing.T) *suite {
	begun := time.Now()
	s := &suite{Cluster: slurmtest.Start(t, partitions...)}
	t.Logf("the cluster is up within %v", time.Since(begun).Round(time.Millisecond))
	dir := t.TempDir()
	s.program = filepath.Join(dir, "snapbench")
	if said, err := exec.Command("go", "build", "-o", s.program, "github.com/snapbench/snapbench/cmd/snapbench").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	alone := func(samples int, arguments []string) question {
		out := filepath.Join(dir, fmt.Sprint("alone", samples))
		if said, err := exec.Command(s.program, append(slices.Clone(arguments), "--out", out)...).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, said)
		}
		q := question{arguments, rows(t, out)}
		if len(q.rows) != 3*samples {
			t.Fatalf("%d rows by one process, want %d", len(q.rows), 3*samples)
		}
		return q
	}
	grade := filepath.Join(dir, "grade")
	if err := os.WriteFile(grade, []byte(grading), 0o755); err != nil {
		t.Fatal(err)
	}
	s.many, s.few = alone(60, ask(grade, "5", "12")), alone(12, ask(grade, "3", "4"))
	return s
}

// rows are those of a run, without what differs from run to run.
func rows(t *testing.T, dir string) (list []string) {
	t.Helper()
	set, err := results.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if set.Partial {
		t.Errorf("%s is not joined", dir)
	}
	for _, r := range set.Rows {
		r.PrefillSeconds, r.DecodeSeconds, r.PeakBytes = nil, nil, nil
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, string(text))
	}
	return list
}

// A real Slurm places, loses, cancels and restarts parts, and what is joined is the run
// of one process.
func TestSlurm(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a cluster and builds the program")
	}
	begun := time.Now()
	s := newSuite(t)
	t.Logf("ready within %v", time.Since(begun).Round(time.Millisecond))
	scenarios := map[string]func(*testing.T, *suite){
		"parts": anyNumberOfParts, "node dies": nodeDies, "node hangs": nodeHangs, "fails": partFails, "cancelled": partCancelled,
		"preempted": preempted, "asked to end": askedToEnd, "time limit": timeLimit, "time too short": timeTooShort, "hidden folder": hiddenFolder, "other folder": otherFolder,
		"storm": storm, "no free node": noFreeNode, "odd names": oddNames, "forgotten": forgotten,
		"command": wholeCommand, "command attaches": commandAttaches, "command submits again": commandSubmitsAgain,
		"command refuses": commandRefuses, "printed": printed, "srun": srun,
	}
	// All at once, whatever -parallel says: most of the time they wait for Slurm.
	var all sync.WaitGroup
	for name, scenario := range scenarios {
		all.Go(func() {
			t.Run(name, func(t *testing.T) {
				begun := time.Now()
				scenario(t, s)
				t.Logf("%v", time.Since(begun).Round(time.Millisecond))
			})
		})
	}
	all.Wait()
}

func anyNumberOfParts(t *testing.T, s *suite) {
	for _, count := range []int{3, 7, 80} {
		j := s.job(t, "many", count, s.many)
		remarks, err := j.engine.Check(t.Context(), j.work)
		if text := strings.Join(remarks, "\n"); err != nil || count == 3 && !strings.Contains(text, "is seen by n1, n2, n3, n4; every other") {
			t.Errorf("%d parts: check: %q, %v", count, text, err)
		}
		begun := time.Now()
		j.submit()
		j.allEnded()
		t.Logf("%d parts: %v", count, time.Since(begun).Round(time.Millisecond))
		j.joined()
	}
	j := s.job(t, "many", 102, s.many)
	if _, err := j.engine.Check(t.Context(), j.work); err == nil || !strings.Contains(err.Error(), "part 101 of 102: this cluster's arrays end at 100") {
		t.Errorf("more parts than an array may have: %v", err)
	}
}
