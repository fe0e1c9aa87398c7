//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package results

import (
	"testing"

	"golang.org/x/sys/unix"
)

// A folder that is closed is free at once, also while a child that is being started has its files open, as every child does
// until it is a program of its own.
func TestClosedBesideAChild(t *testing.T) {
	dir := t.TempDir()
	j := mustOpen(t, dir)
	child, err := unix.Dup(int(j.lock.file.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(child)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, dir)
}
