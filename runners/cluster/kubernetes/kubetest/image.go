//go:build linux

package kubetest

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

// pauseImage holds a pod's namespaces; nodes are told its name.
const pauseImage = "localhost/pause:1"

// Image makes an image of programs of this machine and the libraries that they are linked
// with, all on the PATH, as an archive that containerd imports.
func (c *Cluster) Image(name string, programs ...string) (archive string) {
	c.t.Helper()
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	add := func(path string, mode int64, data []byte) {
		err := w.WriteHeader(&tar.Header{Name: strings.TrimPrefix(path, "/"), Mode: mode, Size: int64(len(data)), Typeflag: tar.TypeReg})
		if err == nil {
			_, err = w.Write(data)
		}
		if err != nil {
			c.t.Fatal(err)
		}
	}
	if err := w.WriteHeader(&tar.Header{Name: "tmp", Mode: 0o1777, Typeflag: tar.TypeDir}); err != nil {
		c.t.Fatal(err)
	}
	var libraries []string
	for _, p := range programs {
		path, err := exec.LookPath(p)
		if err != nil {
			c.t.Fatal(err)
		}
		add("/usr/local/bin/"+filepath.Base(p), 0o755, c.read(path))
		linked, _ := exec.Command("ldd", path).Output() // fails for a static program, which has none
		libraries = append(libraries, regexp.MustCompile(`/\S+`).FindAllString(string(linked), -1)...)
	}
	slices.Sort(libraries)
	for _, path := range slices.Compact(libraries) {
		add(path, 0o755, c.read(path))
	}
	if err := w.Close(); err != nil {
		c.t.Fatal(err)
	}
	digest := sum(layer.Bytes())
	config := c.json(map[string]any{
		"architecture": runtime.GOARCH, "os": "linux",
		"config": map[string]any{"Entrypoint": []string{"/usr/local/bin/" + filepath.Base(programs[0])}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + digest}},
	})
	file, inside := sum(config)+".json", digest+"/layer.tar"
	manifest := c.json([]map[string]any{{"Config": file, "RepoTags": []string{name}, "Layers": []string{inside}}})

	archive = c.path(digest[:12] + ".tar")
	f, err := os.Create(archive)
	if err != nil {
		c.t.Fatal(err)
	}
	w = tar.NewWriter(f)
	add(file, 0o644, config)
	add(inside, 0o644, layer.Bytes())
	add("manifest.json", 0o644, manifest)
	if err := w.Close(); err != nil {
		c.t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		c.t.Fatal(err)
	}
	return archive
}

// Build builds a command of the module, as it is released, and returns its path.
func (c *Cluster) Build(pkg string) string {
	c.t.Helper()
	path := c.path(filepath.Base(pkg))
	cmd := exec.Command("go", "build", "-o", path, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		c.t.Fatalf("go build %s: %v\n%s", pkg, err, out)
	}
	return path
}

func (c *Cluster) read(path string) []byte {
	c.t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		c.t.Fatal(err)
	}
	return data
}

func (c *Cluster) json(v any) []byte {
	c.t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		c.t.Fatal(err)
	}
	return data
}

func sum(data []byte) string {
	s := sha256.Sum256(data)
	return hex.EncodeToString(s[:])
}

// Load gives an image to every node.
func (c *Cluster) Load(archive string) {
	c.t.Helper()
	for name := range c.nodes {
		if out, err := exec.Command("ctr", "--address="+c.path(name, "containerd.sock"), "--namespace=k8s.io", "images", "import", archive).CombinedOutput(); err != nil {
			c.t.Fatalf("node %s does not take %s: %v\n%s", name, archive, err, out)
		}
	}
}
