//go:build linux

package kubetest

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/snapbench/snapbench/runners/server/process"
)

// Cluster is a Kubernetes that runs until its test ends.
type Cluster struct {
	t     testing.TB
	dir   string // its files; logs in dir/log
	bin   string // the daemons
	group int    // the process group of all daemons
	nodes map[string]*node
}

// silence is how long a node may say nothing until it counts as dead. Real clusters wait
// 40 s and longer.
const silence = 15 * time.Second

// Start starts a control plane, without nodes, and makes kubectl and KUBECONFIG of the
// test's environment those of the cluster. It skips the test where the daemons are not
// there.
func Start(t *testing.T) *Cluster {
	t.Helper()
	bin := programs(t)
	c := &Cluster{t: t, dir: shortDir(t), bin: bin, nodes: map[string]*node{}}
	for _, d := range []string{"log", "etcd", "certs"} {
		if err := os.Mkdir(filepath.Join(c.dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	c.watch()
	port, etcd, peer := freePort(t), "http://127.0.0.1:"+freePort(t), "http://127.0.0.1:"+freePort(t)
	config, key := c.credentials(port)
	t.Setenv("KUBECONFIG", config)
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))

	c.daemon("etcd", "etcd", "--data-dir="+c.path("etcd"), "--listen-client-urls="+etcd, "--advertise-client-urls="+etcd,
		"--listen-peer-urls="+peer, "--initial-advertise-peer-urls="+peer, "--initial-cluster=default="+peer, "--unsafe-no-fsync")
	c.daemon("apiserver", c.program("kube-apiserver"), "--etcd-servers="+etcd, "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1",
		"--secure-port="+port, "--cert-dir="+c.path("certs"), "--token-auth-file="+c.path("tokens.csv"), "--authorization-mode=Node,RBAC",
		"--service-cluster-ip-range=10.0.0.0/24", "--endpoint-reconciler-type=none", "--allow-privileged",
		"--kubelet-client-certificate="+c.path("client.crt"), "--kubelet-client-key="+key, "--kubelet-preferred-address-types=InternalIP",
		"--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file="+key, "--service-account-signing-key-file="+key)
	c.Until("the API answers", func() bool { _, err := c.Try("", "get", "--raw", "/readyz"); return err == nil })
	common := []string{"--kubeconfig=" + config, "--leader-elect=false", "--bind-address=127.0.0.1", "--secure-port=0"}
	c.daemon("controllers", c.program("kube-controller-manager"), append(common, "--service-account-private-key-file="+key,
		"--node-monitor-period=1s", "--node-monitor-grace-period="+silence.String())...)
	c.daemon("scheduler", c.program("kube-scheduler"), common...)
	c.Until("the namespace has its account", func() bool { _, err := c.Try("", "get", "serviceaccount", "default"); return err == nil })
	return c
}

// programs returns the folder of the daemons.
func programs(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("SNAPBENCH_KUBERNETES")
	if dir == "" {
		t.Skip("SNAPBENCH_KUBERNETES does not name the folder of Kubernetes' daemons: make kubernetes builds them, and runs this")
	}
	for _, name := range []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Fatalf("SNAPBENCH_KUBERNETES=%s: %v: make kubernetes builds them", dir, err)
		}
	}
	if _, err := exec.LookPath("etcd"); err != nil {
		t.Fatalf("%v: Debian's package etcd-server has it", err)
	}
	return dir
}

// shortDir is a temporary folder whose path leaves room for the names of sockets, of
// which Linux takes 107 characters.
func shortDir(t testing.TB) string {
	dir, err := os.MkdirTemp("", "kube")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the daemons' logs are in %s", filepath.Join(dir, "log"))
			return
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Logf("left behind: %v", err)
		}
	})
	return dir
}

func (c *Cluster) path(elements ...string) string {
	return filepath.Join(append([]string{c.dir}, elements...)...)
}

func (c *Cluster) program(name string) string { return filepath.Join(c.bin, name) }

// watch starts the leader of the daemons' process group, which kills the group when this
// process ends, however it ends.
func (c *Cluster) watch() {
	watcher := exec.Command("sh", "-c", "read -r _; kill -KILL 0")
	watcher.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	alive, err := watcher.StdinPipe()
	if err == nil {
		err = watcher.Start()
	}
	if err != nil {
		c.t.Fatal(err)
	}
	c.group = watcher.Process.Pid
	c.t.Cleanup(func() {
		alive.Close()
		watcher.Wait()
	})
}

// daemon starts a program of the group, whose output is its log.
func (c *Cluster) daemon(name, program string, args ...string) *exec.Cmd {
	c.t.Helper()
	log, err := os.OpenFile(c.path("log", name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		c.t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pgid: c.group}
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	go cmd.Wait()
	return cmd
}

// credentials writes a key for accounts' tokens and a kubectl configuration of an
// administrator, whose token only this cluster knows.
func (c *Cluster) credentials(port string) (config, key string) {
	c.t.Helper()
	secret := make([]byte, 16)
	rand.Read(secret)
	token := hex.EncodeToString(secret)
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		c.t.Fatal(err)
	}
	// By this the API is known to kubelets, which run what they are told.
	api := x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		Subject: pkix.Name{CommonName: "api", Organization: []string{"system:masters"}}}
	certificate, err := x509.CreateCertificate(rand.Reader, &api, &api, &private.PublicKey, private)
	if err != nil {
		c.t.Fatal(err)
	}
	config, key = c.path("kubeconfig"), c.path("accounts.key")
	for path, content := range map[string]string{
		key:                  string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(private)})),
		c.path("client.crt"): string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})),
		c.path("tokens.csv"): token + ",admin,admin,system:masters\n",
		config: fmt.Sprintf(`apiVersion: v1
kind: Config
clusters: [{name: test, cluster: {server: "https://127.0.0.1:%s", insecure-skip-tls-verify: true}}]
users: [{name: admin, user: {token: %q}}]
contexts: [{name: test, context: {cluster: test, user: admin}}]
current-context: test
`, port, token),
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			c.t.Fatal(err)
		}
	}
	return config, key
}

// Try runs kubectl.
func (c *Cluster) Try(stdin string, args ...string) (string, error) {
	cmd := exec.Command(c.program("kubectl"), args...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, told bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &told
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, told.String())
	}
	return out.String(), nil
}

// Kubectl runs kubectl and fails the test where that fails.
func (c *Cluster) Kubectl(stdin string, args ...string) string {
	c.t.Helper()
	out, err := c.Try(stdin, args...)
	if err != nil {
		c.t.Fatal(err)
	}
	return out
}

// Claim makes a claim of that name with a volume that is a folder of this machine.
func (c *Cluster) Claim(name, mode, dir string) {
	c.t.Helper()
	c.Kubectl(fmt.Sprintf(`
apiVersion: v1
kind: PersistentVolume
metadata: {name: %[1]s}
spec: {capacity: {storage: 1Gi}, accessModes: [%[2]s], hostPath: {path: %[3]q}, claimRef: {namespace: default, name: %[1]s}, storageClassName: ""}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: %[1]s, namespace: default}
spec: {accessModes: [%[2]s], resources: {requests: {storage: 1Gi}}, volumeName: %[1]s, storageClassName: ""}
`, name, mode, dir), "create", "--filename=-")
	c.Until("claim "+name+" is bound", func() bool {
		out, err := c.Try("", "get", "persistentvolumeclaim", name, "--output=jsonpath={.status.phase}")
		return err == nil && out == "Bound"
	})
}

// Until waits until something is so, at most three minutes.
func (c *Cluster) Until(what string, so func() bool) {
	c.t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); !so(); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(deadline) {
			c.tails()
			c.t.Fatalf("not within three minutes: %s", what)
		}
	}
}

// tails logs the ends of the daemons' logs.
func (c *Cluster) tails() {
	logs, _ := filepath.Glob(c.path("log", "*.log"))
	for _, path := range logs {
		f, err := os.Open(path)
		if err != nil {
			continue
		}
		const most = 1500
		if info, err := f.Stat(); err == nil && info.Size() > most {
			f.Seek(-most, io.SeekEnd)
		}
		end, _ := io.ReadAll(f)
		f.Close()
		c.t.Logf("%s ends with:\n%s", path, end)
	}
}

func freePort(t testing.TB) string {
	port, err := process.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return port
}
