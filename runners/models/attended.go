package models

import (
	"context"
	"fmt"

	"github.com/snapbench/snapbench/runners/engine"
)

// Attended reads tokens at positions from, from+1, … behind a full cache, which holds all positions before them, and tells
// what they attend to: look gets, by layer, Float32 (query heads, width) of which column j of a row is the attention to
// position j of the prompt, summed over the tokens, for j < from; other columns have no meaning. Many tokens are read in
// blocks, and look gets each block's sums by themselves. The tokens' keys and values are written behind the prompt's, where
// a decoder has written them if it has decoded these tokens: then the cache stays as it is. The cost is that of a prefill of
// the tokens alone.
func (m *Model) Attended(ctx context.Context, s Sequence, from int, ids []int32, look func(layer int, sums engine.Array, width int) error) error {
	d := m.device
	width := 0
	for _, c := range s.Caches {
		for h := range c.Len { // heads of equal length, one behind the other, are keys and values as a prefill has them
			if c.Packed != nil || c.Positions.Len > 0 || len(c.Len) != m.Heads.KV || c.Start[h] != h*(c.Len[0]+c.Room) || c.Len[h] != c.Len[0] {
				return fmt.Errorf("what tokens attend to is told of a full cache in the device's own type alone")
			}
		}
		width = c.Len[0] + c.Room
	}
	if end := from + len(ids); from < 0 || end > width {
		return fmt.Errorf("tokens at positions %d to %d behind a cache with room for %d", from, end, width)
	}
	if len(ids) == 0 {
		return nil
	}
	rotary, err := m.rotate(from + len(ids))
	if err != nil {
		return err
	}
	block := min(m.block, len(ids))
	w := m.workspace(block)
	defer w.free()
	hidden, tokens := w.array(d.Type(), block*m.Width), w.array(engine.Int32, block)
	sums := w.array(engine.Float32, m.Heads.Query*width)
	if w.err != nil {
		return w.err
	}
	defer d.Sync() // queued work still uses the workspace
	d.Put(sums, make([]float32, sums.Len))
	for start := 0; start < len(ids); start += block {
		if err := ctx.Err(); err != nil {
			return err
		}
		rows := min(block, len(ids)-start)
		x, r := hidden.Slice(0, rows*m.Width), w.rows(rows)
		list := tokens.Slice(0, rows)
		d.PutInts(list, ids[start:start+rows])
		d.Embed(x, m.embedding, list)
		for i := range m.layers {
			y, c := &m.layers[i], s.Caches[i]
			kv := engine.KV{K: c.K, V: c.V, Tokens: width, Heads: m.Heads.KV, Size: m.Heads.Size}
			if start > 0 || i > 0 { // the sums are added to
				d.CombineScores(sums, sums, engine.Array{}, m.Heads.Query, engine.ScoresTimes, 0)
			}
			d.RMSNorm(r.normed, x, y.attentionNorm, m.Epsilon)
			engine.MatMulRotate(d, r.q, kv, r.qkv, r.normed, y.qkv, from+start, m.Heads, rotary, y.qkNorm)
			engine.AttentionColumnSums(d, r.attended, sums, r.q, kv, from+start, y.attention)
			d.MatMulAdd(x, r.attended, y.out)
			m.feed(x, r, y)
			if err := look(i, sums, width); err != nil {
				return err
			}
		}
	}
	return d.Sync()
}
