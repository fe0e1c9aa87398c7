//go:build !unix

package process

import (
	"errors"
	"os/exec"
	"time"
)

func supported() error {
	return errors.New("a server is started and ended on Linux, macOS and other Unix systems only: start it yourself and name it by --server")
}

// OwnGroup does nothing here.
func OwnGroup(*exec.Cmd) {}

func (p *Process) endGroup() error { return supported() }

type watcher struct{}

func watch(time.Duration) (*watcher, error) { return nil, supported() }

func (w *watcher) over(int) error { return supported() }

func (w *watcher) dismiss() {}
