//go:build unix

package metrics

import (
	"errors"
	"os"
	"os/exec"
	"slices"
	"syscall"
)

// alone puts a program into a group of its own, which is ended as a whole.
func alone(program *exec.Cmd) {
	program.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	program.Cancel = func() error {
		err := syscall.Kill(-program.Process.Pid, syscall.SIGKILL)
		if errors.Is(err, syscall.ESRCH) { // it ended by itself
			return os.ErrProcessDone
		}
		return err
	}
}

// outside are the signals that others send to a program: those of its own faults, as SIGSEGV, come again for the same row.
var outside = []syscall.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGKILL, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGUSR2}

// killed says whether a program ended by a signal from outside, or what it waited for did, of which a shell tells by its status.
func killed(err error) bool {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return false
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	if !ok {
		return false
	}
	if status.Signaled() {
		return slices.Contains(outside, status.Signal())
	}
	return slices.Contains(outside, syscall.Signal(status.ExitStatus()-128))
}
