package ray

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/snapbench/snapbench/runners/server/process"
)

// venvVariable names a Python environment with ray[default]: make ray makes one.
const venvVariable = "SNAPBENCH_RAY"

// realCluster is a Ray cluster on this machine. Each node is a namespace of processes,
// which ends as a machine does: at once, with all that runs on it. The head has no CPU, so
// that parts run on the others.
type realCluster struct {
	venv, dir string
	gcs       string // where nodes join
	address   string // of the jobs' interface
}

func startCluster(t *testing.T, workers int) (*realCluster, []*realNode) {
	t.Helper()
	venv := os.Getenv(venvVariable)
	if venv == "" {
		t.Skipf("%s names no Python environment with Ray: make ray makes one", venvVariable)
	}
	if os.Getuid() != 0 {
		t.Skip("nodes are namespaces of processes, which take root")
	}
	// Ray puts sockets below its folder, whose paths may have about a hundred bytes.
	dir, err := os.MkdirTemp("", "ray")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	gcs, jobs := freePort(t), freePort(t)
	c := &realCluster{venv: venv, dir: dir, gcs: "127.0.0.1:" + gcs, address: "http://127.0.0.1:" + jobs}
	c.start(t, "head", "", "--head", "--port", gcs, "--num-cpus", "0", "--ray-client-server-port", freePort(t),
		"--include-dashboard", "true", "--dashboard-host", "127.0.0.1", "--dashboard-port", jobs)
	c.wait(t, "head", func() bool {
		response, err := http.Get(c.address + "/api/version")
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
	var nodes []*realNode
	for i := range workers {
		nodes = append(nodes, c.join(t, fmt.Sprintf("worker%d", i), ""))
	}
	c.waitAlive(t, workers+1)
	return c, nodes
}

func freePort(t *testing.T) string {
	t.Helper()
	port, err := process.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// realNode is a node of a cluster, as a process that is the first of its namespace.
type realNode struct {
	cmd  *exec.Cmd
	done chan struct{}
}

// join starts a node that joins the cluster. In the place of a hidden folder it has an
// empty one of its own.
func (c *realCluster) join(t *testing.T, name, hidden string) *realNode {
	t.Helper()
	return c.start(t, name, hidden, "--address", c.gcs, "--num-cpus", "1")
}

func (c *realCluster) start(t *testing.T, name, hidden string, args ...string) *realNode {
	t.Helper()
	script := `set -e
mount --make-rprivate /
if [ -n "$1" ]; then mount -t tmpfs none "$1"; fi
shift
mount -t proc proc /proc
exec "$@"`
	args = append([]string{"-c", script, "node", hidden, filepath.Join(c.venv, "bin", "ray"), "start", "--block", "--disable-usage-stats",
		"--object-store-memory", "100000000", "--temp-dir", filepath.Join(c.dir, name)}, args...)
	log, err := os.Create(filepath.Join(c.dir, name+".log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	n := &realNode{cmd: exec.Command("/bin/sh", args...), done: make(chan struct{})}
	n.cmd.Stdout, n.cmd.Stderr = log, log
	n.cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS, Setpgid: true}
	n.cmd.Env = append(os.Environ(), "PATH="+filepath.Join(c.venv, "bin")+":"+os.Getenv("PATH"), "RAY_USAGE_STATS_ENABLED=0",
		// A node that does not answer counts as dead after some ten seconds, not forty.
		"RAY_health_check_initial_delay_ms=2000", "RAY_health_check_period_ms=1000", "RAY_health_check_timeout_ms=3000", "RAY_health_check_failure_threshold=3")
	if err := n.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		n.cmd.Wait()
		close(n.done)
	}()
	t.Cleanup(n.kill)
	return n
}

// kill ends a node as a power cut does.
func (n *realNode) kill() {
	n.cmd.Process.Kill()
	<-n.done
}

// signal sends a signal to all processes of a node, the first of them first.
func (n *realNode) signal(t *testing.T, s syscall.Signal) (count int) {
	t.Helper()
	space := func(pid string) string {
		name, _ := os.Readlink(filepath.Join("/proc", pid, "ns", "pid")) // empty: it has ended
		return name
	}
	mine := space(fmt.Sprint(n.cmd.Process.Pid))
	if mine == "" || mine == space("self") {
		t.Fatalf("the node's namespace of processes is %q", mine)
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		var pid int
		if _, err := fmt.Sscan(e.Name(), &pid); err == nil && space(e.Name()) == mine && syscall.Kill(pid, s) == nil {
			count++
		}
	}
	return count
}

// wait waits for a condition, and shows a node's log where it does not come.
func (c *realCluster) wait(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Minute)
	for !ok() {
		if time.Now().After(deadline) {
			logs, _ := filepath.Glob(filepath.Join(c.dir, "*.log"))
			for _, path := range logs {
				data, _ := os.ReadFile(path)
				t.Logf("%s:\n%s", path, tail(string(data), 2000))
			}
			t.Fatalf("waited 10 minutes for %s", what)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// alive returns how many nodes the cluster takes to be alive.
func (c *realCluster) alive() int {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.address+"/nodes?view=summary", nil)
	if err != nil {
		return 0
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	var answer struct {
		Data struct {
			Summary []struct {
				Raylet struct {
					State string `json:"state"`
				} `json:"raylet"`
			} `json:"summary"`
		} `json:"data"`
	}
	if json.NewDecoder(response.Body).Decode(&answer) != nil {
		return 0
	}
	n := 0
	for _, node := range answer.Data.Summary {
		if strings.EqualFold(node.Raylet.State, "ALIVE") {
			n++
		}
	}
	return n
}

func (c *realCluster) waitAlive(t *testing.T, n int) {
	t.Helper()
	c.wait(t, fmt.Sprintf("%d nodes", n), func() bool { return c.alive() == n })
}
