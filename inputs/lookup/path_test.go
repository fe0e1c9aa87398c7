package lookup

import (
	"os"
	"path/filepath"
	"testing"
)

func TestNearPath(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "first"), 0o700); err != nil {
		t.Fatal(err)
	}
	for typed, want := range map[string]string{
		filepath.Join(dir, "frist"):       filepath.Join(dir, "first"),
		filepath.Join(dir, "frist") + "/": filepath.Join(dir, "first"),
		filepath.Join(dir, "second"):      "",
		filepath.Join(dir, "no", "frist"): "",
	} {
		if got := NearPath(typed); got != want {
			t.Errorf("%s: %q, want %q", typed, got, want)
		}
	}
	t.Chdir(dir)
	if got := NearPath("frist"); got != "first" {
		t.Errorf("frist: %q", got)
	}
}
