package cuda

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestPTX makes the PTX again and compares.
func TestPTX(t *testing.T) {
	if _, err := exec.LookPath("clang-19"); err != nil {
		t.Skip("clang-19, which makes the PTX, is not installed")
	}
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	dir := t.TempDir()
	if out, err := exec.Command("kernels/build.sh", dir).CombinedOutput(); err != nil {
		t.Fatalf("kernels/build.sh: %v\n%s", err, out)
	}
	made, _ := filepath.Glob(filepath.Join(dir, "*.ptx.gz"))
	kept, _ := filepath.Glob("kernels/*.ptx.gz")
	if len(made) == 0 || len(made) != len(kept) {
		t.Errorf("kernels/build.sh makes %d files, there are %d", len(made), len(kept))
	}
	for _, f := range made {
		want, err := exec.Command("gzip", "-dc", f).Output()
		if err != nil {
			t.Fatal(err)
		}
		got, err := unpacked(strings.TrimSuffix(filepath.Base(f), ".ptx.gz"))
		if err != nil || got != string(want) {
			t.Errorf("kernels/%s is not what clang makes of its source now: run kernels/build.sh (%v)", filepath.Base(f), err)
		}
	}
}

// TestSource holds the loader to the marks of kernels/device.h.
func TestSource(t *testing.T) {
	for _, c := range []struct {
		major int
		want  string
		not   string
	}{{8, "//sm_90 griddepcontrol.wait;", ".target sm_90\n"}, {9, "\tgriddepcontrol.wait;", "sm_80"}} {
		s, err := source("rms_norm", c.major)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(s, c.want) || strings.Contains(s, c.not) {
			t.Errorf("source for %d.0 has %q: %v, has %q: %v", c.major, c.want, strings.Contains(s, c.want), c.not, strings.Contains(s, c.not))
		}
	}
	if _, err := source("nothing", 9); err == nil {
		t.Error("source of a file that does not exist")
	}
	files, _ := ptx.ReadDir("kernels")
	for _, f := range files {
		s, err := source(strings.TrimSuffix(f.Name(), ".ptx.gz"), 9)
		if err != nil {
			t.Fatal(err)
		}
		// A kernel that keeps an array in memory instead of registers is slow.
		if strings.Contains(s, "local_depot") {
			t.Errorf("%s uses local memory", f.Name())
		}
	}
}
