package cuda

import (
	"errors"
	flags "flag"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// other is a folder of PTX that was made in another way, so that builds of a kernel are timed by one program.
var other = flags.String("ptx", "", "take the `folder`'s *.ptx.gz in place of the embedded ones of the same names")

func TestMain(m *testing.M) {
	flags.Parse()
	if *other != "" {
		ptx = overlaid{os.DirFS(*other), embedded}
	}
	os.Exit(m.Run())
}

// overlaid has the files of a folder in place of those of the same name.
type overlaid struct{ over, under fs.FS }

func (o overlaid) Open(name string) (fs.File, error) {
	f, err := o.over.Open(path.Base(name))
	if errors.Is(err, fs.ErrNotExist) {
		return o.under.Open(name)
	}
	return f, err
}

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
	files, _ := embedded.ReadDir("kernels")
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
