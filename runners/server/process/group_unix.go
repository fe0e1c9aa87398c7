//go:build unix

package process

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func supported() error { return nil }

// OwnGroup makes a command, which is not started yet, the leader of a process group, so that
// a Ctrl-C in a terminal does not reach it.
func OwnGroup(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// endGroup asks the group to end, kills what is left after the grace, and waits until
// the group is empty, since what a worker of it holds (a GPU's memory, a port) is the
// next server's.
func (p *Process) endGroup() error {
	group := -p.cmd.Process.Pid
	syscall.Kill(group, syscall.SIGTERM)
	if p.emptyWithin(group, p.options.Grace) {
		return nil
	}
	syscall.Kill(group, syscall.SIGKILL)
	const afterKill = 10 * time.Second
	if p.emptyWithin(group, afterKill) {
		return nil
	}
	return fmt.Errorf("the server's process group %d is still there %s after it was killed", -group, afterKill)
}

// emptyWithin waits until the command has ended and nobody is left in its group.
func (p *Process) emptyWithin(group int, limit time.Duration) bool {
	end := time.Now().Add(limit)
	select {
	case <-p.gone:
	case <-time.After(limit):
		return false
	}
	for none := 0; ; {
		switch {
		case errors.Is(syscall.Kill(group, 0), syscall.ESRCH):
			return true
		case running(-group):
			none = 0
		default: // twice, since one may have begun another while its like were looked through
			if none++; none == 2 {
				return true
			}
		}
		if time.Now().After(end) {
			return false
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// running says whether a process of a group runs, by /proc; true where there is none. A process
// that has ended, and whose new parent does not ask how, as the first process of a container
// may not, holds nothing any more.
func running(group int) bool {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || len(stats) == 0 {
		return true
	}
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		// PID (COMMAND) STATE PPID PGRP …, proc_pid_stat(5); the command may hold anything.
		fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
		if len(fields) > 2 && fields[2] == strconv.Itoa(group) && fields[0] != "Z" && fields[0] != "X" {
			return true
		}
	}
	return false
}

// watcher is a shell that waits at the other end of a pipe, from before there is a group. A
// kernel closes our end whatever ends this program; then the shell ends the group.
type watcher struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	watches bool // it knows a group
}

const watching = `trap '' HUP INT TERM
read -r group || exit 0
read -r word && exit 0
kill -s TERM -- "-$group"
n=0
while [ "$n" -lt "$1" ] && kill -s 0 -- "-$group" 2>/dev/null; do sleep 1; n=$((n+1)); done
kill -s KILL -- "-$group" 2>/dev/null`

func watch(grace time.Duration) (*watcher, error) {
	w := &watcher{cmd: exec.Command("/bin/sh", "-c", watching, "snapbench-watcher", strconv.Itoa(1+int(grace/time.Second)))}
	w.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var err error
	if w.in, err = w.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := w.cmd.Start(); err != nil {
		return nil, fmt.Errorf("what ends the server if snapbench is killed cannot be started: %w", err)
	}
	return w, nil
}

// over tells the watcher which group it watches over.
func (w *watcher) over(group int) error {
	w.watches = true
	_, err := fmt.Fprintln(w.in, group)
	return err
}

// dismiss tells the watcher that all is over.
func (w *watcher) dismiss() {
	if w.watches {
		io.WriteString(w.in, "done\n")
	}
	w.in.Close()
	w.cmd.Wait()
}
