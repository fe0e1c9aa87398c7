//go:build unix

package metrics

import (
	"os/exec"
	"syscall"
)

// alone puts a program into a group of its own, which is ended as a whole.
func alone(program *exec.Cmd) {
	program.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	program.Cancel = func() error { return syscall.Kill(-program.Process.Pid, syscall.SIGKILL) }
}
