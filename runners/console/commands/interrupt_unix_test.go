//go:build unix

package commands

import (
	"context"
	"os"
	"syscall"
	"testing"
)

// Whoever asks why it ended is told that it was cancelled.
func TestInterruptible(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		ctx, stop := Interruptible()
		if err := syscall.Kill(os.Getpid(), s); err != nil {
			t.Fatal(err)
		}
		<-ctx.Done()
		if ctx.Err() != context.Canceled || context.Cause(ctx) != context.Canceled {
			t.Errorf("%v: %v, for the cause %v", s, ctx.Err(), context.Cause(ctx))
		}
		stop()
	}
	ctx, stop := Interruptible()
	stop()
	if ctx.Err() != context.Canceled {
		t.Errorf("stopped: %v", ctx.Err())
	}
}
