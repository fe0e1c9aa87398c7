package local

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// On a full disk the error names the folder, and nothing is left there.
func TestStageOnAFullDisk(t *testing.T) {
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("a small disk cannot be mounted here (it takes root): %v", err)
	}
	defer syscall.Unmount(disk, 0)
	model := tinyFile(t)
	if err := os.Truncate(model, 1<<20); err != nil {
		t.Fatal(err)
	}
	_, err := locate(t.Context(), model, disk, t.Logf)
	if err == nil || !strings.Contains(err.Error(), "--stage "+disk+": the disk is full") {
		t.Fatalf("error %v", err)
	}
	left, err := filepath.Glob(filepath.Join(disk, "*.copying-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
}
