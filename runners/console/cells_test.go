package console

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners/local"
	"github.com/snapbench/snapbench/runners/speed"
)

// Within a prompt the lines say where it is and how long the rest takes.
func TestCells(t *testing.T) {
	m, err := local.Open(context.Background(), local.Options{Model: "shape:tiny,layers=8", Device: "ref", DType: "auto"}, func(string, ...any) {})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	var w bytes.Buffer
	p := NewProgress(&w, false)
	cells := []speed.Cell{{Length: 4096, Batch: 2, Variant: compress.Full, MaxNew: 10}, {Length: 4096, Batch: 2, Variant: compress.Full, MaxNew: 10}}
	roofs := speed.Roofs{Bandwidth: 1e30, Products: 1e9, Attention: 1e9}
	c := &Cells{Progress: p, Report: &speed.Report{Roofs: roofs}}
	c.Plan(speed.NewWork(m.Engines[0].Model(), roofs, cells))
	now := p.start.Add(100 * time.Second)
	p.now = func() time.Time { return now }
	for _, x := range []struct {
		step speed.Step
		want string
	}{
		// A quarter of the first of four prompts in 100 s: fifteen times that are ahead.
		{speed.Step{Prompt: 1, Prompts: 2, Prefill: 0.25, Max: 10}, "0/2  2 × 4096 tokens, full: prompt 1 of 2, layer 3 of 8 (25 %)  ETA 25m0s"},
		{speed.Step{Prompt: 2, Prompts: 2, Prefill: 0.999, Max: 10}, "prompt 2 of 2, layer 8 of 8 (100 %)  ETA 1m40s"},
		{speed.Step{Prompt: 2, Prompts: 2, Prefill: 1, Decoded: 4, Max: 10}, "full: step 4 of 10  ETA 1m40s"},
	} {
		w.Reset()
		p.told = time.Time{}
		c.Within(0)(x.step)
		if !strings.Contains(w.String(), x.want) {
			t.Errorf("%q, want %q", w.String(), x.want)
		}
	}
	w.Reset()
	c.Within(0)(speed.Step{Prompt: 2, Prompts: 2, Prefill: 1, Decoded: 5, Max: 10})
	if w.Len() > 0 {
		t.Errorf("a line at once behind another: %q", w.String())
	}
}
