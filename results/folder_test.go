package results

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMakeFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	there := func() bool {
		_, err := os.Stat(dir)
		return err == nil
	}
	mk := func() func() {
		leave, err := MakeFolder(dir)
		if err != nil {
			t.Fatal(err)
		}
		if beside, err := os.ReadDir(dir); err != nil || len(beside) > 1 {
			t.Fatalf("%v, %v", beside, err)
		}
		return leave
	}
	if mk()(); there() {
		t.Error("an empty folder is left behind")
	}
	leave := mk()
	if mk()(); !there() {
		t.Error("a folder that was there before is gone")
	}
	if err := os.WriteFile(filepath.Join(dir, "speed.json"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if leave(); !there() {
		t.Error("a folder with a file is gone")
	}
	for _, bad := range []string{filepath.Join(dir, "speed.json"), filepath.Join(dir, "speed.json", "sub")} {
		if _, err := MakeFolder(bad); err == nil || !strings.Contains(err.Error(), "--out "+bad+": a file stands where a folder is needed") {
			t.Errorf("%s: %v", bad, err)
		}
	}
	if os.Geteuid() == 0 {
		return // who may write anywhere
	}
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	if _, err := MakeFolder(dir); err == nil || !strings.Contains(err.Error(), "not allowed to this user") {
		t.Errorf("a folder that cannot be written to: %v", err)
	}
}
