package models

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/ref"
)

// TestHoldQueries: the queries that steps leave are those of a prefill that reads the same tokens.
func TestHoldQueries(t *testing.T) {
	files, err := OpenShape("tiny")
	if err != nil {
		t.Fatal(err)
	}
	defer files.Close()
	m, err := Load(ref.New(), files, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	const n, steps = 21, 3
	ids := make([]int32, n+steps)
	for i := range ids {
		ids[i] = int32(i * i % 251)
	}
	want, got := make([]float32, (n+steps)*m.Layers*m.QueryWidth()), make([]float32, m.Layers*m.QueryWidth())
	d := m.Device()
	whole, err := m.Prefill(context.Background(), Prompt{IDs: ids, Trace: Trace{Queries: func(layer, start int, q engine.Array) {
		d.Get(want[(layer*(n+steps)+start)*m.QueryWidth():][:q.Len], q)
	}}})
	if err != nil {
		t.Fatal(err)
	}
	defer whole.Free()
	done, err := m.Prefill(context.Background(), Prompt{IDs: ids[:n], Variants: []compress.Variant{compress.Full}, Room: steps})
	if err != nil {
		t.Fatal(err)
	}
	defer done.Free()
	decoder, err := m.NewDecoder(done.Sequences)
	if err != nil {
		t.Fatal(err)
	}
	defer decoder.Close()
	held, err := d.New(d.Type(), len(got))
	if err != nil {
		t.Fatal(err)
	}
	decoder.HoldQueries(held)
	for i := range steps {
		if _, err := decoder.Step(ids[n+i : n+i+1]); err != nil {
			t.Fatal(err)
		}
		d.Get(got, held)
		for layer := range m.Layers {
			a, b := got[layer*m.QueryWidth():][:m.QueryWidth()], want[(layer*(n+steps)+n+i)*m.QueryWidth():][:m.QueryWidth()]
			if !slices.EqualFunc(a, b, func(x, y float32) bool { return math.Abs(float64(x-y)) <= 1e-5 }) || slices.Max(a) == slices.Min(a) {
				t.Errorf("step %d, layer %d: %v, want %v", i, layer, a[:4], b[:4])
			}
		}
	}
}
