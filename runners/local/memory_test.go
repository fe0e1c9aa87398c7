package local

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/engine"
)

// A batch is bounded by rows and prompt tokens, except that one sample always fits.
func TestFits(t *testing.T) {
	m := tinyOn(t, newCPU(t))
	e := New(m, func([]int32) string { return "" })
	of := func(tokens, variants int) runners.Request {
		v, err := compress.ParseAll("full;snapkv(cap=64,w=8);snapkv(cap=96,w=8);snapkv(cap=128,w=8)")
		if err != nil {
			t.Fatal(err)
		}
		for len(v) < variants {
			v = append(v, v[1])
		}
		return runners.Request{Prompt: make([]int32, tokens), Variants: runners.VariantsOf(v[:variants]), MaxNew: 10}
	}
	one := func(q runners.Request) runners.Request { q.Sample = -1; return q }
	for _, c := range []struct {
		waiting int
		a       runners.Request
		want    bool
	}{
		{0, of(1<<20, 4), true},
		{1, of(100, 4), true},
		{7, of(100, 4), true},
		{8, of(100, 4), false},       // 36 rows
		{15, one(of(100, 4)), true},  // of one prompt
		{16, one(of(100, 4)), false}, // 68 rows
		{1, of(tokensTogether-100, 1), true},
		{1, of(tokensTogether-99, 1), false},
	} {
		var waiting []runners.Request
		for i := range c.waiting {
			q := of(100, 4)
			if q.Sample = i + 1; c.a.Sample < 0 {
				q = c.a
			}
			waiting = append(waiting, q)
		}
		if got := e.Fits(waiting, c.a); got != c.want {
			t.Errorf("%d waiting, %d tokens in %d variants: %v, want %v", c.waiting, len(c.a.Prompt), len(c.a.Variants), got, c.want)
		}
	}
}

func TestLacksMemory(t *testing.T) {
	short := &engine.OutOfMemory{Device: "cpu", Need: 2, Free: 1}
	none := [][]runners.Completion{{{}, {Err: errors.New("other")}}}
	if lacksMemory(none, nil) || !lacksMemory(nil, fmt.Errorf("layer 3: %w", short)) ||
		!lacksMemory([][]runners.Completion{{{}}, {{}, {Err: &RequestError{Err: short}}}}, nil) {
		t.Error("a lack of memory is not told from other errors")
	}
}

// scarce is the memory of two devices; one request fits at a time.
type scarce struct {
	mu         sync.Mutex
	held, most int
	refused    int
}

// around lets answer run only where the request fits.
func (m *scarce) around(answer func(context.Context, []runners.Request) ([][]runners.Completion, error)) func(context.Context, []runners.Request) ([][]runners.Completion, error) {
	return func(ctx context.Context, requests []runners.Request) ([][]runners.Completion, error) {
		m.mu.Lock()
		if m.held+len(requests) > 1 {
			m.refused++
			m.mu.Unlock()
			out := make([][]runners.Completion, len(requests))
			for i := range out {
				out[i] = make([]runners.Completion, len(requests[i].Variants))
				for k := range out[i] {
					out[i][k].Err = &RequestError{&engine.OutOfMemory{Device: "cpu", Need: 2, Free: 1}}
				}
			}
			return out, nil
		}
		m.held++
		m.most = max(m.most, m.held)
		m.mu.Unlock()
		defer func() {
			m.mu.Lock()
			m.held--
			m.mu.Unlock()
		}()
		time.Sleep(time.Millisecond) // so that they meet
		return answer(ctx, requests)
	}
}

// Two devices that share a memory in which only one request fits answer without an error.
func TestTwoEnginesLackMemory(t *testing.T) {
	devices := []engine.Device{newCPU(t), newCPU(t)}
	engines, room := newEngines(devices), &scarce{}
	for i, e := range engines {
		e.model = tinyOn(t, devices[i])
		e.decode = func([]int32) string { return "" }
		e.answer = room.around(e.complete)
	}
	var wait sync.WaitGroup
	for _, e := range engines {
		wait.Go(func() {
			for i := range 10 {
				var requests []runners.Request
				for k := range 2 {
					requests = append(requests, runners.Request{Prompt: ids(60, i+k), Variants: runners.VariantsOf(variants(t, "full;snapkv(cap=24,w=8)")), MaxNew: 2})
				}
				out, err := e.Run(context.Background(), requests)
				if err != nil {
					t.Error(err)
					return
				}
				for _, completions := range out {
					for _, c := range completions {
						if c.Err != nil || len(c.Tokens) == 0 {
							t.Errorf("%s: %d tokens, %v", c.Variant, len(c.Tokens), c.Err)
						}
					}
				}
			}
		})
	}
	wait.Wait()
	if room.most != 1 || room.refused < 3 {
		t.Errorf("%d at a time, %d times refused: want one at a time, after refusals", room.most, room.refused)
	}
}

// smallCard is a device that reports so much free memory.
type smallCard struct {
	engine.Device
	limit int64
}

func (d smallCard) Memory() engine.Memory {
	m := d.Device.Memory()
	m.Total, m.Free = d.limit, max(0, d.limit-m.InUse)
	return m
}

// A variant whose cache does not fit gets an error with the reason; the others answer as they
// would without it.
func TestFullCacheLeftOut(t *testing.T) {
	r := New(tinyOn(t, smallCard{newCPU(t), 8 << 20}), func([]int32) string { return "" })
	request := runners.Request{Prompt: ids(9000, 3), Question: ids(3, 5), Variants: runners.VariantsOf(variants(t, "full;snapkv(cap=64,w=16,k=5);snapkv(cap=50%,w=16,k=5)")), MaxNew: 4}
	out, err := r.Run(context.Background(), []runners.Request{request})
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range out[0] {
		var memory *engine.OutOfMemory
		switch {
		case i == 1:
			if c.Err != nil || len(c.Tokens) != 4 || c.PeakBytes > 8<<20 {
				t.Errorf("%s: %v, %d tokens, peak %d", c.Variant, c.Err, len(c.Tokens), c.PeakBytes)
			}
		case !errors.As(c.Err, &memory) || memory.Need <= memory.Free || !strings.Contains(c.Err.Error(), "does not fit"):
			t.Errorf("%s: %v", c.Variant, c.Err)
		}
	}
	request.Variants = request.Variants[1:2]
	alone, err := r.Run(context.Background(), []runners.Request{request})
	if err != nil || alone[0][0].Err != nil || !slices.Equal(alone[0][0].Tokens, out[0][1].Tokens) {
		t.Errorf("alone: %v, %v; beside what does not fit %v", err, alone[0][0].Tokens, out[0][1].Tokens)
	}
}
