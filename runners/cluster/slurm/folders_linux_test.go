package slurm_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/results/parts"
	"github.com/snapbench/snapbench/runners/cluster"
	_ "github.com/snapbench/snapbench/runners/cluster/slurm"
)

// A folder that a node does not see is found before anything is submitted, and by the
// part itself where it was not.
func hiddenFolder(t *testing.T, s *suite) {
	j := s.job(t, "hides", 1, s.few)
	node := s.Nodes("hides")[1]
	s.Kill(t, node)
	s.Return(t, node, "mount -t tmpfs tmpfs "+j.work.Out)
	j.until("the node is back", func() bool {
		return strings.Count(s.Command(t, "sinfo", "--noheader", "--Node", "--partition=hides", "--states=idle", "--format=%N"), "\n") == 2
	})
	_, err := j.engine.Check(t.Context(), j.work)
	path := filepath.Join(j.work.Out, parts.TokenFile)
	if err == nil || !strings.Contains(err.Error(), "node "+node+" does not see the run's folder") || !strings.Contains(err.Error(), path) {
		t.Errorf("check: %v, want node %s and %s", err, node, path)
	}
}

// A folder of a node's own under the name of the run's is no better.
func otherFolder(t *testing.T, s *suite) {
	j := s.job(t, "other", 1, s.few)
	node := s.Nodes("other")[0]
	s.Kill(t, node)
	own := fmt.Sprintf("mount -t tmpfs tmpfs %[1]s && mkdir %[1]s/job && echo 1234 > %[1]s/%[2]s && mount --bind %[1]s/job %[1]s/job", j.work.Out, parts.TokenFile)
	s.Return(t, node, own)
	j.until("the node is back", func() bool {
		return strings.Count(s.Command(t, "sinfo", "--noheader", "--Node", "--partition=other", "--states=idle", "--format=%N"), "\n") == 2
	})
	_, err := j.engine.Check(t.Context(), j.work)
	if want := fmt.Sprintf("node %s has another folder under the name of the run's", node); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), `is "1234" there`) {
		t.Errorf("check: %v, want %q", err, want)
	}
	// Only this node is asked to run it, and nobody asked the node before.
	j.work.EngineArgs = append(j.work.EngineArgs, "--nodelist="+node)
	j.submit()
	j.ended(0, cluster.Failed)
	if list, _ := j.attempts(0); len(list) != 0 {
		t.Errorf("attempts here: %v", list)
	}
}

func noFreeNode(t *testing.T, s *suite) {
	id := strings.TrimSpace(s.Command(t, "sbatch", "--parsable", "--partition=busy", "--exclusive", "--output=/dev/null", "--wrap=sleep infinity"))
	defer s.Command(t, "scancel", id)
	j := s.job(t, "busy", 1, s.few)
	j.until("the node is busy", func() bool {
		return strings.TrimSpace(s.Command(t, "squeue", "--noheader", "--format=%T", "--jobs="+id)) == "RUNNING"
	})
	remarks, err := j.engine.Check(t.Context(), j.work)
	if text := strings.Join(remarks, "\n"); err != nil || !strings.Contains(text, "could not be asked now (Unable to allocate resources: ") || !strings.Contains(text, "each part checks it") {
		t.Errorf("%q, %v", text, err)
	}
	j.work.EngineArgs = []string{"--partition=nowhere"}
	if _, err := j.engine.Submit(t.Context(), j.work); err == nil || !strings.Contains(err.Error(), "invalid partition specified: nowhere") {
		t.Errorf("a partition that is not there: %v", err)
	}
}

// Names of folders and arguments reach the part as they are.
func oddNames(t *testing.T, s *suite) {
	j := s.job(t, "command", 1, s.few)
	j.work.Dir = filepath.Join(t.TempDir(), `it's "100%" #1 $HOME`)
	j.work.Out = filepath.Join(j.work.Dir, "a  run %j")
	j.prepare()
	text := `{"id": "one", "prompt": "One and one is", "answers": ["2"]}` + "\n"
	if err := os.WriteFile(filepath.Join(j.work.Dir, "it's mine.jsonl"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	j.work.Arguments = []string{"prompts", "it's mine.jsonl", "--budgets", "full", "--max-new", "4", "--device", "cpu"}
	j.work.EngineArgs = append(j.work.EngineArgs, `--comment=a "quoted" \comment #1`)
	j.submit()
	j.ended(0, cluster.Ended)
	if n := len(rows(t, j.work.Out)); n != 1 {
		t.Errorf("%d rows, want 1", n)
	}
	if said := s.Command(t, "scontrol", "show", "job", j.id); !strings.Contains(said, `Comment=a "quoted" \comment #1`) {
		t.Errorf("%s", said)
	}
}

// A job that Slurm does not know, and one of another name, have no parts.
func forgotten(t *testing.T, s *suite) {
	j := s.job(t, "command", 1, s.few)
	j.id = "999999"
	if got := j.states(); len(got) != 0 {
		t.Errorf("a job that is not there: %v", got)
	}
	j.id = strings.TrimSpace(s.Command(t, "sbatch", "--parsable", "--partition=command", "--array=0", "--output=/dev/null", "--wrap=true"))
	if got := j.states(); len(got) != 0 {
		t.Errorf("another's job: %v", got)
	}
}
