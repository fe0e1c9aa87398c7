package local

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/evidence"
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
	measured := of(100, 4)
	measured.Fidelity = true
	for _, c := range []struct {
		inHand int
		a      runners.Request
		want   bool
	}{
		{0, of(1<<20, 4), true},
		{1, of(100, 4), true},
		{7, of(100, 4), true},
		{7, measured, false}, // 36 rows
		{8, of(100, 4), false},
		{1, of(tokensTogether-100, 1), true},
		{1, of(tokensTogether-99, 1), false},
	} {
		b := e.newBatch()
		for range c.inHand {
			if lacks, err := b.join(t.Context(), []*runners.Handed{{Request: of(100, 4)}}, false); lacks || err != nil {
				t.Fatal(lacks, err)
			}
		}
		if got := b.fits(nil, c.a); got != c.want {
			t.Errorf("%d in hand, %d tokens in %d variants: %v, want %v", c.inHand, len(c.a.Prompt), len(c.a.Variants), got, c.want)
		}
		b.free()
	}
}

// scarce are devices that share a memory, which some allocations at a time exceed.
type scarce struct {
	mu      sync.Mutex
	devices []*scarceDevice
	limit   int64
	refused int
}

type scarceDevice struct {
	engine.Device
	all  *scarce
	held atomic.Int64 // as this device's own goroutine saw it last: others may not ask the device
}

// told notes what the device holds.
func (d *scarceDevice) told() { d.held.Store(d.Device.Memory().InUse) }

// over says whether the devices hold more than there is.
func (m *scarce) over() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	held := int64(0)
	for _, d := range m.devices {
		held += d.held.Load()
	}
	if held <= m.limit {
		return nil
	}
	m.refused++
	return &engine.OutOfMemory{Device: "cpu", Need: held, Free: m.limit}
}

func (d *scarceDevice) New(t engine.Type, n int) (engine.Array, error) {
	a, err := d.Device.New(t, n)
	if err != nil {
		return a, err
	}
	d.told()
	if err := d.all.over(); err != nil {
		d.Free(a)
		return engine.Array{}, err
	}
	return a, nil
}

func (d *scarceDevice) Gather(kv engine.KV, kept []engine.Kept, room int) ([]engine.Cache, error) {
	caches, err := d.Device.Gather(kv, kept, room)
	if err != nil {
		return nil, err
	}
	d.told()
	if err := d.all.over(); err != nil {
		d.FreeCache(caches...)
		return nil, err
	}
	return caches, nil
}

func (d *scarceDevice) Free(a ...engine.Array) {
	d.Device.Free(a...)
	d.told()
}

func (d *scarceDevice) FreeCache(c ...engine.Cache) {
	d.Device.FreeCache(c...)
	d.told()
}

func (d *scarceDevice) FreeBatch(b engine.Batch) {
	d.Device.FreeBatch(b)
	d.told()
}

// Two devices that share a memory in which little more than one request fits answer without an
// error, and as they do where there is enough.
func TestTwoEnginesLackMemory(t *testing.T) {
	all := &scarce{}
	for range 2 {
		all.devices = append(all.devices, &scarceDevice{Device: newCPU(t), all: all})
	}
	engines := newEngines([]engine.Device{all.devices[0], all.devices[1]})
	all.limit = 1 << 40
	for i, e := range engines {
		e.model = tinyOn(t, all.devices[i])
		e.decode = func(ids []int32) string { return fmt.Sprint(ids) }
	}
	request := func(i int) runners.Request {
		return runners.Request{Prompt: ids(60, i), Variants: runners.VariantsOf(variants(t, "full;snapkv(cap=24,w=8)")), MaxNew: 2 + i%5}
	}
	var want [20][]runners.Completion
	peak := int64(0)
	for i := range want {
		out, err := runners.Answer(t.Context(), engines[0], request(i))
		if err != nil {
			t.Fatal(err)
		}
		want[i], peak = out[0], max(peak, out[0][0].PeakBytes)
	}
	if _, err := runners.Answer(t.Context(), engines[1], request(4)); err != nil { // its tables are made
		t.Fatal(err)
	}
	weights := engines[0].model.Device().Memory().InUse + engines[1].model.Device().Memory().InUse
	all.limit = weights + peak - engines[0].model.Device().Memory().InUse
	var wait sync.WaitGroup
	for _, e := range engines {
		wait.Go(func() {
			var requests []runners.Request
			for i := range want {
				requests = append(requests, request(i))
			}
			out, err := runners.Answer(context.Background(), e, requests...)
			if err != nil {
				t.Error(err)
				return
			}
			for i := range out {
				for j, c := range out[i] {
					if c.Err != nil || c.Text != want[i][j].Text {
						t.Errorf("request %d, %s: %q, %v; want %q", i, c.Variant, c.Text, c.Err, want[i][j].Text)
					}
				}
			}
		})
	}
	wait.Wait()
	if all.refused < 3 {
		t.Errorf("%d times refused: the memory was no limit", all.refused)
	}
	all.limit = 1 << 40
	if held := engines[0].model.Device().Memory().InUse + engines[1].model.Device().Memory().InUse; held != weights {
		t.Errorf("%d bytes are held afterwards", held-weights)
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
	out, err := runners.Answer(context.Background(), r, request)
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
	// What is measured by the full cache says why it is not known.
	measured := request
	measured.Fidelity = true
	span := []evidence.Span{{10, 14}}
	measured.Evidence = &runners.Evidence{Read: "value", Says: func(string) bool { return false }, Passages: []runners.Passage{{Name: "value", Each: span, Spans: span}}}
	by, err := runners.Answer(context.Background(), r, measured)
	if err != nil {
		t.Fatal(err)
	}
	if c := by[0][1]; c.Err != nil || c.Fidelity != nil || !slices.Equal(c.Tokens, out[0][1].Tokens) || !strings.Contains(c.Note, "fidelity is not known: the full cache: out of memory;") ||
		!strings.Contains(c.Note, "evidence: the attention is not known: the full cache: out of memory") || strings.Contains(c.Note, "iB") || c.Evidence == nil || !math.IsNaN(float64(c.Evidence.Least)) {
		t.Errorf("measured: %v, %+v, %+v, note %q", c.Err, c.Fidelity, c.Evidence, c.Note)
	}
	request.Variants = request.Variants[1:2]
	alone, err := runners.Answer(context.Background(), r, request)
	if err != nil || alone[0][0].Err != nil || !slices.Equal(alone[0][0].Tokens, out[0][1].Tokens) {
		t.Errorf("alone: %v, %v; beside what does not fit %v", err, alone[0][0].Tokens, out[0][1].Tokens)
	}
}
