package commands

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// Interruptible returns a context that the first Ctrl-C or SIGTERM cancels; the second ends the process at once. It is
// cancelled for no other cause than [context.Canceled], by which everybody knows who ended what: that of
// [signal.NotifyContext] has the signal for a cause. stop gives the signals back.
func Interruptible() (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case <-signals:
			signal.Stop(signals)
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel()
	}
}
