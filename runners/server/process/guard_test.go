package process

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/snapbench/snapbench/runners"
)

// dying is a runner whose server ends while it answers, which it tells by an error of the request, or of all.
type dying struct {
	runners.Runner
	end func()
	own bool
}

func (d dying) Run(ctx context.Context, work runners.Work) error {
	return runners.OneByOne(ctx, work, func(_ context.Context, q runners.Request) ([]runners.Completion, error) {
		d.end()
		if broke := errors.New("the connection to the server broke"); !d.own {
			return nil, broke
		} else {
			return failed(q, broke), nil
		}
	})
}

type named string

func (v named) String() string            { return string(v) }
func (v named) Policy() string            { return string(v) }
func (v named) Budget() string            { return "full" }
func (v named) Params() map[string]string { return nil }

// What a server's end left without an answer is an error of that request, or ends the run and says nothing of the request:
// whichever of the two was asked for, however the end is noticed.
func TestGuard(t *testing.T) {
	for _, own := range []bool{false, true} {
		for _, endsRun := range []bool{false, true} {
			l, err := openLog(filepath.Join(t.TempDir(), "log"), "a server")
			if err != nil {
				t.Fatal(err)
			}
			defer l.file.Close()
			p := &Process{gone: make(chan struct{}), log: l, url: "http://127.0.0.1:0"}
			guarded := p.Guard([]runners.Runner{dying{end: func() { close(p.gone) }, own: own}}, endsRun)[0]
			for range 2 { // while it is asked, and afterwards
				out, err := runners.Answer(t.Context(), guarded, runners.Request{Variants: []runners.Variant{named("a")}})
				var died *DiedError
				if endsRun {
					if !errors.As(err, &died) || out != nil {
						t.Errorf("own error %t: %v, %v", own, out, err)
					}
				} else if err != nil || len(out[0]) != 1 || !errors.As(out[0][0].Err, &died) {
					t.Errorf("own error %t: %v, %v", own, out, err)
				}
			}
		}
	}
}
