package models

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners/engine"
)

// TestAttended: what tokens behind a full cache attend to is what the rows of a prefill of the whole text attend to, in
// every family, read at once or in blocks, before and after a decoder has read the same tokens; and the cache stays as it
// was.
func TestAttended(t *testing.T) {
	const n, last = 21, 8
	ids := tokens(n + last)
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			m, err := tinyFamily(t, name, nil)
			if err != nil {
				t.Fatal(err)
			}
			if m.Linear.Count() > 0 {
				t.Skip("refused: TestLinearStates")
			}
			d, h := m.Device(), m.Heads
			want := make([][]float64, len(m.PolicyLayers())) // (heads, n) of the plain formula
			var queries []float32
			_, err = m.Prefill(t.Context(), Prompt{IDs: ids,
				Trace: Trace{Queries: func(_, start int, q engine.Array) {
					if start == 0 {
						queries = nil
					}
					list := make([]float32, q.Len)
					d.Get(list, q)
					queries = append(queries, list...)
				},
					KV: func(layer int, kv engine.KV) {
						if layer = slices.Index(m.PolicyLayers(), layer); layer < 0 {
							return
						}
						keys := make([]float32, kv.K.Len)
						d.Get(keys, kv.K)
						want[layer] = make([]float64, h.Query*n)
						sinks := slices.Repeat([]float64{math.Inf(-1)}, h.Query)
						if by := m.Attention(m.PolicyLayers()[layer]); by.Sinks.Len > 0 {
							list := make([]float32, h.Query)
							d.Get(list, by.Sinks)
							for a, z := range list {
								sinks[a] = float64(z)
							}
						}
						for row := n; row < n+last; row++ {
							for a := range h.Query {
								for j, p := range attention(queries[(row*h.Query+a)*h.Size:][:h.Size], keys[a/h.Group()*len(ids)*h.Size:], row, m.Windows[m.PolicyLayers()[layer]], float64(m.Scale()), float64(m.AttentionCap), sinks[a]) {
									if j < n {
										want[layer][a*n+j] += p
									}
								}
							}
						}
					}}})
			if err != nil {
				t.Fatal(err)
			}
			begun, err := m.Prefill(t.Context(), Prompt{IDs: ids[:n], Variants: []compress.Variant{compress.Full}, Room: last})
			if err != nil {
				t.Fatal(err)
			}
			defer begun.Free()
			check := func(block int) {
				t.Helper()
				m.block = block
				got := make([][]float64, len(want))
				err := m.Attended(t.Context(), begun.Sequences[0], n, ids[n:], func(layer int, sums engine.Array, width int) error {
					if got[layer] == nil {
						got[layer] = make([]float64, h.Query*n)
					}
					for a := range h.Query {
						part := make([]float32, n)
						d.Get(part, sums.Slice(a*width, a*width+n))
						for j, p := range part {
							got[layer][a*n+j] += float64(p)
						}
					}
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
				for layer := range want {
					for i, w := range want[layer] {
						if !(math.Abs(got[layer][i]-w) <= 1e-5) {
							t.Fatalf("blocks of %d: layer %d, head %d, position %d: %g, want %g", block, layer, i/n, i%n, got[layer][i], w)
						}
					}
				}
			}
			check(n)
			check(3)
			b, err := m.NewDecoder(begun.Sequences)
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			for _, id := range ids[n:] {
				if _, err := b.Step([]int32{id}); err != nil {
					t.Fatal(err)
				}
			}
			held := func() []float32 {
				c := begun.Sequences[0].Caches[1]
				list := make([]float32, c.K.Len)
				d.Get(list, c.K)
				return list
			}
			before := held()
			check(n)
			if after := held(); !slices.EqualFunc(before, after, func(a, b float32) bool { return math.Abs(float64(a-b)) <= 1e-5 }) {
				t.Error("the cache is another one afterwards")
			}
		})
	}
}

// attention is the softmax of a query over the keys that it sees.
func attention(q, keys []float32, position, window int, scale, limit, sink float64) []float64 {
	list, first := make([]float64, position+1), 0
	if window > 0 {
		first = max(0, position-window+1)
	}
	sum := math.Exp(sink)
	for j := first; j <= position; j++ {
		for i, x := range q {
			list[j] += float64(x) * float64(keys[j*len(q)+i])
		}
		if list[j] *= scale; limit > 0 {
			list[j] = limit * math.Tanh(list[j]/limit)
		}
		list[j] = math.Exp(list[j])
		sum += list[j]
	}
	for j := range list {
		list[j] /= sum
	}
	return list
}

// What is no full cache, and what does not fit behind one, is refused.
func TestAttendedRefuses(t *testing.T) {
	m, err := tinyFamily(t, "llama", nil)
	if err != nil {
		t.Fatal(err)
	}
	variants, err := compress.ParseAll("full;recent(cap=8)")
	if err != nil {
		t.Fatal(err)
	}
	p, err := m.Prefill(t.Context(), Prompt{IDs: tokens(20), Variants: variants, Room: 4})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Free()
	look := func(int, engine.Array, int) error { return fmt.Errorf("nobody should look") }
	for what, err := range map[string]error{
		"a cache of the last positions": m.Attended(t.Context(), p.Sequences[1], 20, tokens(2), look),
		"too many tokens":               m.Attended(t.Context(), p.Sequences[0], 20, tokens(5), look),
	} {
		if err == nil || err.Error() == look(0, engine.Array{}, 0).Error() {
			t.Errorf("%s: %v", what, err)
		}
	}
}
