package server

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// mostWait is the longest wait between two tries, whatever the server asks for.
const mostWait = 5 * time.Minute

// persist tries until it succeeds, fails for good, or has failed too often. It returns
// how often it tried again.
func (r *Runner) persist(ctx context.Context, try func() error) (retries int, err error) {
	wait := r.options.Wait
	for ; ; retries++ {
		err := try()
		if ctx.Err() != nil {
			return retries, ctx.Err()
		}
		var p *passing
		if err == nil || !errors.As(err, &p) {
			return retries, err
		}
		if retries >= r.options.Retries {
			if retries > 0 {
				return retries, fmt.Errorf("%w (asked %d times)", err, retries+1)
			}
			return retries, err
		}
		if p.after > mostWait {
			return retries, fmt.Errorf("%w: it asks to wait %v, longer than the %v that are waited", err, p.after.Round(time.Second), mostWait)
		}
		// Those that failed together do not come back together.
		pause := max(p.after, wait/2+rand.N(wait/2+1))
		select {
		case <-ctx.Done():
			return retries, ctx.Err()
		case <-time.After(pause):
		}
		wait = min(2*wait, mostWait)
	}
}
