//go:build linux

package kubetest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// node is a machine: a process and mount namespace with containerd and a kubelet.
type node struct {
	power *exec.Cmd // the namespace's parent
	port  string
}

// Nodes starts machines n1, n2, … and waits until they are ready. The test is skipped
// where they cannot be.
func (c *Cluster) Nodes(n int) {
	c.t.Helper()
	if os.Geteuid() != 0 {
		c.t.Skip("nodes need root: each is a namespace with containers of its own")
	}
	if _, err := os.Stat(c.program("kubelet")); err != nil {
		c.t.Skipf("the kubelet is not there: %v (make kubernetes-nodes builds it)", err)
	}
	for _, p := range []string{"containerd", "ctr", "runc", "unshare"} {
		if _, err := exec.LookPath(p); err != nil {
			c.t.Skipf("%s is not there: %v (Debian's packages containerd, runc, containernetworking-plugins)", p, err)
		}
	}
	pause := c.Image(pauseImage, c.Build("github.com/snapbench/snapbench/runners/cluster/kubernetes/kubetest/testdata/pause"))
	for i := range n {
		name := "n" + strconv.Itoa(i+1)
		c.nodes[name] = &node{port: freePort(c.t)}
		c.install(name, pause)
		c.Returns(name)
	}
}

// install writes a node's files.
func (c *Cluster) install(name, pause string) {
	c.t.Helper()
	for _, d := range []string{"log", "lib", "libexec", "run", "cni", "manifests", "root"} {
		if err := os.MkdirAll(c.path(name, d), 0o755); err != nil {
			c.t.Fatal(err)
		}
	}
	path := func(elements ...string) string { return yaml(c.path(append([]string{name}, elements...)...)) }
	for file, text := range map[string]string{
		"containerd.toml": `version = 2
root = ` + path("containerd") + `
state = ` + path("state") + `
[grpc]
  address = ` + path("containerd.sock") + `
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "` + pauseImage + `"
  stream_server_address = "127.0.0.1"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = ` + path("plugins") + `
    conf_dir = ` + path("cni") + `
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
`,
		// No pod talks to another: loopback is all the network that they have. containerd wants
		// to be told of an address all the same, which this plugin does, and nothing else.
		"cni/10-none.conflist": `{"cniVersion": "0.4.0", "name": "none", "plugins": [{"type": "none"}]}`,
		"plugins/none": `#!/bin/sh
case $CNI_COMMAND in
VERSION) echo '{"cniVersion": "0.4.0", "supportedVersions": ["0.4.0"]}' ;;
ADD) echo '{"cniVersion": "0.4.0", "interfaces": [{"name": "eth0", "sandbox": "'"$CNI_NETNS"'"}], "ips": [{"version": "4", "interface": 0, "address": "192.0.2.1/32"}]}' ;;
esac
`,
		// Limits on groups of pods, the firewall and eviction by a full disk are what a test's
		// machine may not allow, and no business of these tests.
		"kubelet.yaml": `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
port: ` + c.nodes[name].port + `
healthzPort: 0
readOnlyPort: 0
authentication: {anonymous: {enabled: false}, webhook: {enabled: false}, x509: {clientCAFile: ` + yaml(c.path("client.crt")) + `}}
authorization: {mode: AlwaysAllow}
cgroupDriver: cgroupfs
cgroupsPerQOS: false
enforceNodeAllocatable: []
failSwapOn: false
failCgroupV1: false
makeIPTablesUtilChains: false
localStorageCapacityIsolation: false
containerRuntimeEndpoint: ` + yaml("unix://"+c.path(name, "containerd.sock")) + `
staticPodPath: ` + path("manifests") + `
podLogsDir: ` + path("podlogs") + `
evictionHard: {memory.available: 1Mi, nodefs.available: 0%, imagefs.available: 0%}
imageGCHighThresholdPercent: 100
nodeStatusUpdateFrequency: 2s
nodeLeaseDurationSeconds: 4
`,
		// The first process of the namespace. Folders whose paths are fixed in the programs
		// are the node's own.
		"on.sh": `set -e
cd ` + path() + `
for pair in log:/var/log lib:/var/lib/kubelet libexec:/usr/libexec/kubernetes run:/run; do
    mkdir -p "${pair#*:}"
    mount --bind "${pair%%:*}" "${pair#*:}"
done
containerd --config containerd.toml &
until ctr --address containerd.sock version >/dev/null 2>&1; do sleep 0.1; done
ctr --address containerd.sock --namespace k8s.io images import ` + yaml(pause) + `
` + yaml(c.program("kubelet")) + ` --config kubelet.yaml --kubeconfig ` + yaml(c.path("kubeconfig")) + ` --hostname-override ` + name + ` --root-dir ` + path("root") + ` --cert-dir ` + path("pki") + `
`,
	} {
		if err := os.MkdirAll(filepath.Dir(c.path(name, file)), 0o755); err != nil {
			c.t.Fatal(err)
		}
		if err := os.WriteFile(c.path(name, file), []byte(text), 0o700); err != nil {
			c.t.Fatal(err)
		}
	}
	if err := os.Symlink("/usr/lib/cni/loopback", c.path(name, "plugins", "loopback")); err != nil {
		c.t.Fatal(err)
	}
}

// Returns switches a node on, and waits until it is ready.
func (c *Cluster) Returns(name string) {
	c.t.Helper()
	c.nodes[name].power = c.daemon(name, "unshare", "--pid", "--fork", "--kill-child=KILL", "--mount-proc", "bash", c.path(name, "on.sh"))
	c.Until("node "+name+" is ready", func() bool {
		out, err := c.Try("", "get", "node", name, `--output=jsonpath={.status.conditions[?(@.type=="Ready")].status}`)
		return err == nil && out == "True"
	})
}

// Dies cuts a node's power: its daemons and containers end at once, without a word.
func (c *Cluster) Dies(name string) {
	c.t.Helper()
	if err := c.nodes[name].power.Process.Kill(); err != nil {
		c.t.Fatal(err)
	}
}

// Hangs stops every process of a node, and Thaws lets them go on.
func (c *Cluster) Hangs(name string) { c.t.Helper(); c.signal(name, syscall.SIGSTOP) }

// Thaws ends what Hangs began.
func (c *Cluster) Thaws(name string) { c.t.Helper(); c.signal(name, syscall.SIGCONT) }

// signal reaches all processes of a node's namespace, and of those inside it: a pod has
// one of its own.
func (c *Cluster) signal(name string, s syscall.Signal) {
	c.t.Helper()
	all := []int{c.nodes[name].power.Process.Pid}
	for i := 0; i < len(all); i++ {
		threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", all[i]))
		for _, path := range threads {
			children, err := os.ReadFile(path)
			if err != nil {
				continue // it has ended meanwhile
			}
			for word := range strings.FieldsSeq(string(children)) {
				if pid, err := strconv.Atoi(word); err == nil {
					all = append(all, pid)
				}
			}
		}
	}
	if len(all) < 3 {
		c.t.Fatalf("node %s has %d processes", name, len(all))
	}
	for _, pid := range all[1:] {
		syscall.Kill(pid, s) // one that has ended meanwhile needs none
	}
}

// yaml quotes a text for YAML; TOML and the shell take paths so, too.
func yaml(text string) string { return strconv.Quote(text) }
