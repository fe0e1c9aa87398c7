package process

import (
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Workers that have ended hold nothing, also where their new parent, as the first process of a container may be, does not
// ask how: here it is this test.
func TestStopWhereNobodyReaps(t *testing.T) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	defer unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
	p, log, err := start(t, "stubborn", func(o *Options) { o.Grace = 200 * time.Millisecond })
	if err != nil {
		t.Fatal(err)
	}
	worker := workerOf(t, log)
	if err := p.Stop(); err != nil {
		t.Error(err)
	}
	var status syscall.WaitStatus
	if pid, err := syscall.Wait4(worker, &status, 0, nil); pid != worker || err != nil {
		t.Errorf("its worker was not this test's to ask: %d, %v", pid, err)
	}
}
