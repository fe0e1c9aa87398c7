package slurmtest

import (
	"strings"
	"testing"
	"time"
)

// The cluster is what tests take it for: a job on a node that dies ends nowhere, one on
// a node that hangs goes on when that thaws, and a node returns.
func TestCluster(t *testing.T) {
	begun := time.Now()
	c := Start(t, Partition{"main", 2})
	t.Logf("started within %v", time.Since(begun))
	run := func(node string) (string, error) {
		return c.command("timeout", "5", "srun", "--nodelist="+node, "sh", "-c", "echo $SLURMD_NODENAME")
	}
	for _, node := range c.Nodes("main") {
		if said, err := run(node); err != nil || said != node+"\n" {
			t.Fatalf("%s: %q, %v", node, said, err)
		}
	}
	c.Hang(t, "n1")
	if said, err := run("n1"); err == nil {
		t.Fatalf("a node that hangs said %q", said)
	}
	c.Thaw(t, "n1")
	state := func(node string) string {
		return strings.TrimSpace(c.Command(t, "sinfo", "--noheader", "--nodes="+node, "--format=%T"))
	}
	c.until("n1 works again", func() bool { said, err := run("n1"); return err == nil && said == "n1\n" })
	c.Kill("n2")
	c.until("n2 is missed", func() bool { return strings.HasPrefix(state("n2"), "down") })
	c.Return("n2", "")
	c.until("n2 is back", func() bool { said, err := run("n2"); return err == nil && said == "n2\n" })
}
