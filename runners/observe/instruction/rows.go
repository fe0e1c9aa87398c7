package instruction

import (
	"context"
	"slices"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/models"
)

// reading is a prompt of n tokens with its response of T.
type reading struct {
	response []int32
	kept     [][][][]int32 // by variant, layer in which policies choose and cache head: positions, ascending
}

// read answers a prompt greedily with the full cache, and reads back what each variant keeps of it.
func read(ctx context.Context, m *models.Model, prompt []int32, sample, tokens int, variants []compress.Variant) (r reading, err error) {
	all := append([]compress.Variant{compress.Full}, variants...)
	done, err := m.Prefill(ctx, models.Prompt{IDs: prompt, Sample: sample, Variants: all, Room: tokens})
	if err != nil {
		return r, err
	}
	defer done.Free()
	d := m.Device()
	for _, s := range done.Sequences[1:] {
		var layers [][][]int32
		for _, layer := range m.PolicyLayers() {
			c := s.Caches[layer]
			heads := make([][]int32, len(c.Len))
			for h, n := range c.Len {
				heads[h] = make([]int32, n)
				if c.Positions.Len > 0 {
					d.GetInts(heads[h], c.Positions.Slice(c.Start[h], c.Start[h]+n))
				} else {
					for j := range heads[h] {
						heads[h][j] = int32(j)
					}
				}
			}
			layers = append(layers, heads)
		}
		r.kept = append(r.kept, layers)
	}
	if err := d.Sync(); err != nil {
		return r, err
	}
	decoder, err := m.NewDecoder(done.Sequences[:1])
	if err != nil {
		return r, err
	}
	defer decoder.Close()
	next := models.Greedy(done.Logits)
	for next >= 0 {
		if r.response = append(r.response, next); len(r.response) == tokens {
			return r, nil
		}
		if err := ctx.Err(); err != nil {
			return r, err
		}
		chosen, err := decoder.Step([]int32{next})
		if err != nil {
			return r, err
		}
		next = chosen[0]
	}
	return r, errNotFinite
}

// attention gives sums of rows of attention in one layer, from the queries of the positions from first on.
type attention struct {
	d       engine.Device
	queries engine.Array // (tokens-first, heads, d)
	first   int
	kv      engine.KV
	by      engine.Attention
	sums    engine.Array // (heads, tokens)
	zeros   []float32
	out     []float32
}

// rows returns the attention of rows lo to hi, summed, to each of the first n positions, by head. It is good until the next
// call.
func (a *attention) rows(lo, hi, n int) [][]float32 {
	width := a.by.Heads.Query * a.by.Heads.Size
	a.d.Put(a.sums, a.zeros)
	a.d.ColumnSums(a.sums, a.queries.Slice((lo-a.first)*width, (hi-a.first)*width), a.kv, lo, a.by)
	a.d.Get(a.out, a.sums)
	list := make([][]float32, a.by.Heads.Query)
	for h := range list {
		list[h] = a.out[h*a.kv.Tokens:][:n]
	}
	return list
}

// layers reads tokens and calls see with the attention of each layer in which policies choose, whose queries are held from first on.
func layers(ctx context.Context, m *models.Model, tokens []int32, first int, see func(layer int, a *attention)) error {
	d, width := m.Device(), m.QueryWidth()
	a := &attention{d: d, first: first}
	a.zeros, a.out = make([]float32, m.Heads.Query*len(tokens)), make([]float32, m.Heads.Query*len(tokens))
	var err error
	if a.queries, err = d.New(d.Type(), (len(tokens)-first)*width); err != nil {
		return err
	}
	defer d.Free(a.queries)
	if a.sums, err = d.New(engine.Float32, len(a.zeros)); err != nil {
		return err
	}
	defer d.Free(a.sums)
	done, err := m.Prefill(ctx, models.Prompt{
		IDs: tokens,
		Trace: models.Trace{Queries: func(_, start int, rows engine.Array) {
			if skip := max(0, first-start) * width; skip < rows.Len {
				at := max(0, start-first) * width
				d.Copy(a.queries.Slice(at, at+rows.Len-skip), rows.Slice(skip, rows.Len))
			}
		},
			KV: func(layer int, kv engine.KV) {
				if ctx.Err() == nil && !m.Fixed(layer) {
					a.kv, a.by = kv, m.Attention(layer)
					see(slices.Index(m.PolicyLayers(), layer), a)
				}
			}},
	})
	if err != nil {
		return err
	}
	done.Free()
	return ctx.Err()
}

// top returns the positions of the k highest scores, ascending; ties go to the earliest.
func top(scores []float32, k int) []int32 {
	order := make([]int32, len(scores))
	for j := range order {
		order[j] = int32(j)
	}
	slices.SortStableFunc(order, func(a, b int32) int {
		switch {
		case scores[a] > scores[b]:
			return -1
		case scores[a] < scores[b]:
			return 1
		}
		return 0
	})
	order = order[:min(k, len(order))]
	slices.Sort(order)
	return order
}

// both counts what two ascending lists have in common, from a position on.
func both(a, b []int32, from int32) (n int) {
	for _, j := range a {
		if _, ok := slices.BinarySearch(b, j); ok && j >= from {
			n++
		}
	}
	return n
}
