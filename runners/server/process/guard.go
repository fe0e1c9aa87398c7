package process

import (
	"context"
	"slices"
	"time"

	"github.com/snapbench/snapbench/runners"
)

// Guard returns a server's runners as ones that know when its process has ended: what
// was asked then, and is asked later, has the end as its error, with what the log says
// last; or, with endsRun, the run ends with that error, and nothing is said of what was in hand.
func (p *Process) Guard(team []runners.Runner, endsRun bool) []runners.Runner {
	list := make([]runners.Runner, len(team))
	for i, r := range team {
		list[i] = &guarded{r, p, endsRun}
	}
	return list
}

type guarded struct {
	runners.Runner
	process *Process
	endsRun bool
}

// Run asks the server while it runs.
func (g *guarded) Run(ctx context.Context, work runners.Work) error {
	return runners.OneByOne(ctx, work, g.answer)
}

func (g *guarded) answer(ctx context.Context, q runners.Request) ([]runners.Completion, error) {
	if died := g.process.Died(); died != nil {
		return g.lost(q, died)
	}
	asking, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-g.process.gone: // nothing is waited for any more
			cancel(g.process.Died())
		case <-asking.Done():
		}
	}()
	out, err := runners.Answer(asking, g.Runner, q)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	wrong := func(c runners.Completion) bool { return c.Err != nil }
	if err == nil && !slices.ContainsFunc(out[0], wrong) {
		return out[0], nil
	}
	died := g.process.Ending(ctx)
	switch {
	case died == nil && err != nil:
		return nil, err
	case died == nil:
		return out[0], nil
	case err != nil || g.endsRun:
		return g.lost(q, died)
	}
	for k := range out[0] {
		if wrong(out[0][k]) {
			out[0][k].Err = died
		}
	}
	return out[0], nil
}

// lost is what becomes of a request that the server's end left without an answer.
func (g *guarded) lost(q runners.Request, died *DiedError) ([]runners.Completion, error) {
	if g.endsRun {
		return nil, died
	}
	return failed(q, died), nil
}

// Ending returns why the server ended, where what went wrong with a request was its end: a
// connection may break before the process is gone. It is nil where the server runs.
func (p *Process) Ending(ctx context.Context) *DiedError {
	if ok, _ := listsModels(ctx, p.url); !ok {
		select {
		case <-p.gone:
		case <-ctx.Done():
		case <-time.After(5 * time.Second):
		}
	}
	return p.Died()
}

func failed(q runners.Request, err error) (out []runners.Completion) {
	for _, v := range q.Variants {
		out = append(out, runners.Completion{Variant: v, Err: err})
	}
	return out
}

// Failed is a runner in place of a server that never answered: whatever it is asked has
// that error.
func Failed(err error) runners.Runner { return lost{err} }

type lost struct{ err error }

func (l lost) Describe() runners.Description {
	return runners.Description{Device: "server", Name: "server"}
}
func (l lost) Check([]runners.Variant) error { return nil }
func (l lost) Close() error                  { return nil }
func (l lost) Run(ctx context.Context, work runners.Work) error {
	return runners.OneByOne(ctx, work, func(_ context.Context, q runners.Request) ([]runners.Completion, error) {
		return failed(q, l.err), nil
	})
}
