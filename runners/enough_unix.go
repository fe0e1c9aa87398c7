//go:build unix

package runners

import (
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
)

// EnoughAsked returns a channel for [Job.Enough] that is closed by SIGUSR1, by which a job's script ends
// a run at a sample's end before its time limit does, and what forgets the signal and
// says whether it came.
func EnoughAsked() (<-chan struct{}, func() bool) {
	var asked atomic.Bool
	signals, enough := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(signals, syscall.SIGUSR1)
	go func() {
		if _, ok := <-signals; ok {
			asked.Store(true)
			close(enough)
		}
	}()
	return enough, func() bool {
		signal.Stop(signals)
		close(signals)
		return asked.Load()
	}
}
