package models

import (
	"context"
	"errors"
	"fmt"

	"github.com/snapbench/snapbench/runners/engine"
)

// ErrAttended is that of [Model.Attended] for models with linear attention, whose states are those behind all tokens that a
// decoder has read, and can't be taken back.
var ErrAttended = errors.New("what tokens attend to is not told behind a decoder of a model with linear attention")

// Attended reads tokens at positions from, from+1, … behind a full cache, which holds all positions before them, and tells
// what they attend to: look gets, by layer in which policies choose, Float32 (query heads, width) of which column j of a row is the attention to
// position j of the prompt, summed over the tokens, for j < from; other columns have no meaning. Many tokens are read in
// blocks, and look gets each block's sums by themselves. The tokens' keys and values are written behind the prompt's, where
// a decoder has written them if it has decoded these tokens: then the cache stays as it is. The cost is that of a prefill of
// the tokens alone.
func (m *Model) Attended(ctx context.Context, s Sequence, from int, ids []int32, look func(layer int, sums engine.Array, width int) error) error {
	d := m.device
	if m.Linear.Count() > 0 {
		return ErrAttended
	}
	width, held := 0, 0
	for i, c := range s.Caches {
		if m.Fixed(i) {
			continue
		}
		for h := range c.Len { // heads of equal length, one behind the other, are keys and values as a prefill has them
			if c.Packed != nil || c.Positions.Len > 0 || len(c.Len) != m.Heads.KV || c.Start[h] != h*(c.Len[0]+c.Room) || c.Len[h] != c.Len[0] {
				return fmt.Errorf("what tokens attend to is told of a full cache in the device's own type alone")
			}
		}
		width, held = c.Len[0]+c.Room, c.Len[0]
	}
	least := 0 // the first position whose window is held
	for i, c := range s.Caches {
		if m.Fixed(i) && c.Positions.Len > 0 {
			least = max(least, held-c.Len[0]+m.Windows[i]-1)
		}
	}
	if end := from + len(ids); from < least || end > width {
		return fmt.Errorf("tokens at positions %d to %d behind a cache with room for %d", from, end, width)
	}
	if len(ids) == 0 {
		return nil
	}
	rotary, err := m.rotateTokens(from + len(ids))
	if err != nil {
		return err
	}
	block := min(m.block, len(ids))
	w := m.workspace(block)
	defer w.free()
	hidden, tokens := w.array(d.Type(), block*m.Width), w.array(engine.Int32, block)
	sums := w.array(engine.Float32, m.Heads.Query*width)
	whole := engine.KV{Tokens: width, Heads: m.Heads.KV, Size: m.Heads.Size} // a sliding layer's keys and values at their positions
	if m.Hybrid() {
		whole.K, whole.V = w.array(d.Type(), width*m.KVWidth()), w.array(d.Type(), width*m.KVWidth())
	}
	if w.err != nil {
		return w.err
	}
	defer d.Sync() // queued work still uses the workspace
	d.Put(sums, make([]float32, sums.Len))
	d.Put(whole.K, make([]float32, whole.K.Len)) // what no window shows is multiplied by 0
	d.Put(whole.V, make([]float32, whole.V.Len))
	for start := 0; start < len(ids); start += block {
		if err := ctx.Err(); err != nil {
			return err
		}
		rows := min(block, len(ids)-start)
		x, r := hidden.Slice(0, rows*m.Width), w.rows(rows)
		list := tokens.Slice(0, rows)
		d.PutInts(list, ids[start:start+rows])
		d.Embed(x, m.embedding, list, m.embeddingScale)
		at := 0 // of the layers in which policies choose
		for i := range m.layers {
			y, c := &m.layers[i], s.Caches[i]
			kv := engine.KV{K: c.K, V: c.V, Tokens: width, Heads: m.Heads.KV, Size: m.Heads.Size}
			if m.Fixed(i) {
				kv = whole
				m.spread(kv, c, held)
			}
			d.RMSNorm(r.normed, x, y.attentionNorm, m.Epsilon)
			engine.MatMulRotate(d, r.q, kv, r.qkv, r.normed, y.qkv, from+start, m.Heads, rotary.of(y), y.qkNorm)
			if m.Fixed(i) {
				m.collect(c, kv, held, from+start, rows)
				d.Attention(r.attended, r.q, kv, from+start, y.attention)
			} else {
				if start > 0 || at > 0 { // the sums are added to
					d.CombineScores(sums, sums, engine.Array{}, m.Heads.Query, engine.ScoresTimes, 0)
				}
				engine.AttentionColumnSums(d, r.attended, sums, r.q, kv, from+start, y.attention)
			}
			m.add(x, r.attended, r, y.out, y.attentionPost)
			m.feed(x, r, y)
			if m.Fixed(i) {
				continue
			}
			if err := look(at, sums, width); err != nil {
				return err
			}
			at++
		}
	}
	return d.Sync()
}

// spread copies what a sliding layer's cache holds, and its room, to where a prefill has the positions: the cache ends
// with the last of held.
func (m *Model) spread(kv engine.KV, c engine.Cache, held int) {
	for h, length := range c.Len {
		for _, of := range [][2]engine.Array{{kv.K, c.K}, {kv.V, c.V}} {
			rows := of[1].Slice(c.Start[h]*c.Size, (c.Start[h]+length+c.Room)*c.Size)
			at := (h*kv.Tokens + held - length) * c.Size
			m.device.Copy(of[0].Slice(at, at+rows.Len), rows)
		}
	}
}

// collect copies rows from a position on back to the cache.
func (m *Model) collect(c engine.Cache, kv engine.KV, held, from, rows int) {
	for h, length := range c.Len {
		for _, of := range [][2]engine.Array{{c.K, kv.K}, {c.V, kv.V}} {
			to, at := (c.Start[h]+from-(held-length))*c.Size, (h*kv.Tokens+from)*c.Size
			m.device.Copy(of[0].Slice(to, to+rows*c.Size), of[1].Slice(at, at+rows*c.Size))
		}
	}
}
