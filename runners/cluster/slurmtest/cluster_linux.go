package slurmtest

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/snapbench/snapbench/runners/server/process"
)

// Partition is some nodes of a cluster, under a name by which jobs ask for them. A node
// has two processors, so it runs two jobs of one.
type Partition struct {
	Name  string
	Nodes int
	// Over is a partition whose nodes these are, in place of own ones: a job here pushes
	// those there away, back into the queue.
	Over string
}

// Cluster is a Slurm that runs. Its commands find it by SLURM_CONF, which is set as long
// as the test runs.
type Cluster struct {
	dir   string
	nodes map[string][]string // by partition
	ports map[string]int      // by node

	mu      sync.Mutex
	running map[string]*daemon // of nodes that have power, by node
}

// needed are the programs without which there is no cluster.
var needed = []string{"munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "srun", "salloc", "sinfo", "scancel", "unshare"}

// Start starts a cluster, and ends it with the test. It skips the test where it cannot.
func Start(t testing.TB, partitions ...Partition) *Cluster {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("Slurm is started by root only: its nodes are process namespaces")
	}
	for _, name := range needed {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("no %s: apt-get install --no-install-recommends slurmctld slurmd slurm-client munge", name)
		}
	}
	if said, err := exec.Command("unshare", "--pid", "--fork", "--mount", "--mount-proc", "true").CombinedOutput(); err != nil {
		t.Skipf("no process namespaces here: %v: %s", err, said)
	}
	// Not the test's own folder: its name is as long as the test's, and a socket's path may
	// have some hundred characters.
	dir, err := os.MkdirTemp("", "slurm")
	if err != nil {
		t.Fatal(err)
	}
	c := &Cluster{dir: dir, nodes: map[string][]string{}, ports: map[string]int{}, running: map[string]*daemon{}}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the controller's log ends with\n%s", tail(c.path("log", "slurmctld")))
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	for _, name := range []string{"state", "log", "run", "munge"} {
		must(t, os.Mkdir(c.path(name), 0o755))
	}
	must(t, os.Chmod(dir, 0o755))
	must(t, os.Chmod(c.path("munge"), 0o700))
	key := make([]byte, 128)
	rand.Read(key) // never fails
	must(t, os.WriteFile(c.path("munge", "key"), key, 0o400))
	must(t, os.WriteFile(c.path("slurm.conf"), []byte(c.configuration(t, partitions)), 0o644))
	t.Setenv("SLURM_CONF", c.path("slurm.conf"))

	munged := start(t, "munged", "--foreground", "--force", "--key-file="+c.path("munge", "key"), "--socket="+c.path("run", "munge"),
		"--pid-file="+c.path("run", "munged.pid"), "--log-file="+c.path("log", "munged"), "--seed-file="+c.path("munge", "seed"))
	t.Cleanup(munged.end)
	until(t, "munged has a socket", func() bool { _, err := os.Stat(c.path("run", "munge")); return err == nil })
	t.Cleanup(start(t, "slurmctld", "-D").end)
	total := 0
	for _, nodes := range c.nodes {
		for _, node := range nodes {
			c.power(t, node, "")
			total++
		}
	}
	t.Cleanup(func() {
		for _, node := range c.powered() {
			c.Kill(t, node)
		}
	})
	until(t, "all nodes are idle", func() bool {
		said, _ := c.command("sinfo", "--noheader", "--Node", "--states=idle", "--format=%N")
		names := strings.Fields(said) // a node of two partitions twice
		slices.Sort(names)
		return len(slices.Compact(names)) == total
	})
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.hurry(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-done
	})
	return c
}

// configuration is that of a cluster whose nodes are all this machine. What dies is
// missed within seconds; what is to be queued again must ask for it.
func (c *Cluster) configuration(t testing.TB, partitions []Partition) string {
	host, err := os.Hostname()
	must(t, err)
	host, _, _ = strings.Cut(host, ".")
	count := 1
	for _, p := range partitions {
		count += p.Nodes
	}
	ports := freePorts(t, count)
	var b strings.Builder
	fmt.Fprintf(&b, `ClusterName=test
SlurmctldHost=%[2]s(127.0.0.1)
SlurmctldPort=%[3]d
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=%[1]s/run/munge
CredType=cred/munge
StateSaveLocation=%[1]s/state
SlurmdSpoolDir=%[1]s/run/%%n
SlurmctldPidFile=%[1]s/run/slurmctld.pid
SlurmdPidFile=%[1]s/run/%%n.pid
SlurmctldLogFile=%[1]s/log/slurmctld
SlurmdLogFile=%[1]s/log/%%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=0
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
JobRequeue=0
ReturnToService=2
SlurmdTimeout=15
MessageTimeout=10
TCPTimeout=2
KillWait=3
MaxArraySize=101
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
`, c.dir, host, ports[0])
	next := 1
	for i, p := range partitions {
		for range p.Nodes {
			node := fmt.Sprintf("n%d", next)
			fmt.Fprintf(&b, "NodeName=%s NodeHostName=%s NodeAddr=127.0.0.1 Port=%d CPUs=2 RealMemory=1000\n", node, host, ports[next])
			c.nodes[p.Name], c.ports[node] = append(c.nodes[p.Name], node), ports[next]
			next++
		}
		standard, tier := "NO", 1
		if i == 0 {
			standard = "YES"
		}
		nodes := c.nodes[p.Name]
		if p.Over != "" {
			nodes, tier = c.nodes[p.Over], 2
		}
		fmt.Fprintf(&b, "PartitionName=%s Nodes=%s Default=%s PriorityTier=%d MaxTime=INFINITE State=UP\n", p.Name, strings.Join(nodes, ","), standard, tier)
	}
	return b.String()
}

// Nodes returns the names of a partition's nodes.
func (c *Cluster) Nodes(partition string) []string { return c.nodes[partition] }

// hurry starts parts soon that are queued again: Slurm makes them wait for two minutes, after
// which nothing of the start before can be left. Here that is looked at: a start that meets
// what is left of the one before fails.
func (c *Cluster) hurry(ctx context.Context) {
	const settled = 3 * time.Second // for the node to tell that all has ended
	since := map[string]time.Time{}
	for ctx.Err() == nil {
		said, _ := c.command("squeue", "--noheader", "--array", "--states=PENDING", "--format=%A %F_%K %r")
		for line := range strings.Lines(said) {
			fields := strings.Fields(line)
			if len(fields) != 3 || fields[2] != "BeginTime" {
				continue
			}
			number, job := fields[0], fields[1]
			if since[job].IsZero() || exec.Command("pgrep", "--full", `^slurmstepd: \[`+number+`[.\]]`).Run() == nil {
				since[job] = time.Now()
			}
			if time.Since(since[job]) > settled {
				delete(since, job)
				c.command("scontrol", "update", "JobId="+job, "StartTime=now")
			}
		}
		select {
		case <-time.After(500 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

func (c *Cluster) path(names ...string) string {
	return filepath.Join(append([]string{c.dir}, names...)...)
}

// Command runs one of Slurm's commands, which must succeed, and returns what it prints.
func (c *Cluster) Command(t testing.TB, name string, args ...string) string {
	t.Helper()
	said, err := c.command(name, args...)
	if err != nil {
		t.Fatalf("%s %q: %v: %s", name, args, err, said)
	}
	return said
}

func (c *Cluster) command(name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	said, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	return string(said), err
}

// patience is for a machine with much else to do.
const patience = 5 * time.Minute

// until waits for something that a healthy cluster does in about a second.
func until(t testing.TB, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if done() {
			return
		}
	}
	t.Fatalf("within %v it was not so that %s", patience, what)
}

// freePorts returns different ports that nobody listens on now.
func freePorts(t testing.TB, n int) (list []int) {
	for len(list) < n {
		text, err := process.FreePort()
		must(t, err)
		port, err := strconv.Atoi(text)
		must(t, err)
		if !slices.Contains(list, port) {
			list = append(list, port)
		}
	}
	return list
}

func tail(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-3000):])
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
