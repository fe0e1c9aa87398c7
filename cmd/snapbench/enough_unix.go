//go:build unix

package main

import (
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
)

// enoughAsked returns a channel that is closed by SIGUSR1, by which a job's script ends
// a run at a sample's end before its time limit does, and what forgets the signal and
// says whether it came.
func enoughAsked() (<-chan struct{}, func() bool) {
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
