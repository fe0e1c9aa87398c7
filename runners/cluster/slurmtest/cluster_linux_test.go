package slurmtest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The cluster is what tests take it for: a job on a node that hangs stands still until
// that thaws, and a node that dies is missed, and returns.
func TestCluster(t *testing.T) {
	begun := time.Now()
	c := Start(t, Partition{Name: "main", Nodes: 2})
	t.Logf("started within %v", time.Since(begun))
	run := func(node string) (string, error) {
		return c.command("timeout", "60", "srun", "--nodelist="+node, "sh", "-c", "echo $SLURMD_NODENAME")
	}
	for _, node := range c.Nodes("main") {
		if said, err := run(node); err != nil || said != node+"\n" {
			t.Fatalf("%s: %q, %v", node, said, err)
		}
	}
	ticks := filepath.Join(t.TempDir(), "ticks")
	grown := func() bool {
		before := size(ticks)
		time.Sleep(300 * time.Millisecond)
		return size(ticks) > before
	}
	job := strings.TrimSpace(c.Command(t, "sbatch", "--parsable", "--nodelist=n1", "--output=/dev/null", "--wrap=while sleep 0.05; do echo >> "+ticks+"; done"))
	until(t, "the job on n1 ticks", grown)
	c.Hang(t, "n1")
	if grown() {
		t.Error("a job on a node that hangs goes on")
	}
	c.Thaw(t, "n1")
	until(t, "the job on n1 ticks again", grown)
	c.Command(t, "scancel", job)

	state := func(node string) string {
		return strings.TrimSpace(c.Command(t, "sinfo", "--noheader", "--nodes="+node, "--format=%T"))
	}
	c.Kill(t, "n2")
	until(t, "n2 is missed", func() bool { return strings.HasPrefix(state("n2"), "down") })
	c.Return(t, "n2", "")
	until(t, "n2 is back", func() bool { said, err := run("n2"); return err == nil && said == "n2\n" })
}

func size(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}
