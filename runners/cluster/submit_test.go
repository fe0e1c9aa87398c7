package cluster

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// What the engine has taken is recorded, whatever happens while it takes it: the same command attaches, and submits
// nothing a second time.
func TestSubmittedOnce(t *testing.T) {
	lost := errors.New("the answer was lost")
	for name, c := range map[string]struct {
		submitting func(ctx context.Context, interrupt func()) error
		said       string // of what was said, or of the error
	}{
		"interrupted": {func(ctx context.Context, interrupt func()) error {
			interrupt()
			return ctx.Err() // as an engine ends that notices
		}, "interrupted while parts are submitted"},
		"interrupted, and the answer is lost": {func(_ context.Context, interrupt func()) error {
			interrupt()
			return lost
		}, "the answer was lost; the same command attaches"},
		"the answer is lost": {func(context.Context, func()) error { return lost }, "the answer was lost; the same command attaches"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			e := &engine{states: map[int]State{}, part: answer}
			e.submitting = func(asked context.Context) error { return c.submitting(asked, cancel) }
			p, said := placement(t, e, t.TempDir(), 2)
			_, err := p.Submit(ctx)
			if errors.Is(err, lost) {
				*said = append(*said, err.Error())
			} else if err != nil { // an interrupt does not end what is under way
				t.Errorf("%v", err)
			}
			if text := strings.Join(*said, "\n"); !strings.Contains(text, c.said) {
				t.Errorf("%q, want %q", text, c.said)
			}
			e.wait.Wait()
			e.submitting = nil
			again, said := placement(t, e, p.Dir, 2)
			f, err := again.Submit(t.Context())
			if err != nil || e.jobs != 1 || !strings.Contains(strings.Join(*said, "\n"), "attached") {
				t.Fatalf("%d jobs, %v, %q", e.jobs, err, *said)
			}
			if err := f.Wait(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// Who interrupts before anything is submitted has submitted nothing.
func TestInterruptedBeforeSubmitting(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	e := &engine{states: map[int]State{}, part: answer}
	p, _ := placement(t, e, t.TempDir(), 2)
	p.Engine = interrupted{e, cancel}
	if _, err := p.Submit(ctx); !errors.Is(err, context.Canceled) || e.jobs != 0 {
		t.Errorf("%v, %d jobs", err, e.jobs)
	}
}

// interrupted is an engine whose user interrupts as its check ends.
type interrupted struct {
	*engine
	interrupt func()
}

func (e interrupted) Check(context.Context, Work) ([]string, error) {
	e.interrupt()
	return nil, nil
}
