package models

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners/engine"
)

// Prompt is the input of a prefill.
type Prompt struct {
	IDs      []int32
	Sample   int // the prompt's number in its data set, from which a random policy draws
	Variants []compress.Variant
	Room     int // free places in each cache for tokens that will be decoded

	// Twins asks for a second copy of each variant's cache, to decode along another
	// variant's answer.
	Twins bool
	// Part leaves out some of the work, unless it is zero.
	Part Part
	// Progress is called with the number of blocks done, over all layers.
	Progress func(done, total int)
	// Trace shows some of the work.
	Trace Trace
}

// Prefilled is the result of a prefill: the logits after the last token, and for
// each variant a sequence to decode from.
type Prefilled struct {
	Logits    []float32
	Sequences []Sequence // by variant
	Twins     []Sequence // by variant, if Prompt.Twins is set
	Host      []bool     // by variant: it chooses, in some layer or step, in plain Go over copies
	Edited    []bool     // by variant: it changes keys, in some layer

	device engine.Device
}

// Free frees all caches.
func (p *Prefilled) Free() {
	for _, s := range append(p.Sequences, p.Twins...) {
		p.device.FreeCache(s.Caches...)
	}
	p.Sequences, p.Twins = nil, nil
}

// ErrPrompt is wrapped by errors for which the prompt is the cause.
var ErrPrompt = errors.New("the prompt can't be read")

// Prefill reads a prompt layer by layer, and in each layer lets every variant
// choose positions and gather its cache. After an error no memory is held.
func (m *Model) Prefill(ctx context.Context, p Prompt) (_ *Prefilled, err error) {
	d, n := m.device, len(p.IDs)
	if n == 0 {
		return nil, fmt.Errorf("%w: it is empty", ErrPrompt)
	}
	for i, id := range p.IDs {
		if id < 0 || int(id) >= m.Vocab {
			return nil, fmt.Errorf("%w: token %d is %d, the vocabulary has %d", ErrPrompt, i, id, m.Vocab)
		}
	}
	if err := m.CheckPart(p.Part); err != nil {
		return nil, err
	}
	rotary, err := m.rotateWhole(n)
	if err != nil {
		return nil, err
	}
	w := m.workspace(min(m.block, n))
	defer func() { w.free() }()
	hidden := w.array(d.Type(), n*m.Width)
	ids := w.array(engine.Int32, n)
	kv := engine.KV{Tokens: n, Heads: m.Heads.KV, Size: m.Heads.Size}
	kv.K, kv.V = w.array(d.Type(), n*m.KVWidth()), w.array(d.Type(), n*m.KVWidth())
	place := m.PolicyPlace(n, p.Sample)
	needs := compress.NeedsOf(p.Variants, place)
	held := needs.Held(n)
	queries := w.array(d.Type(), held*m.QueryWidth())
	last := w.array(engine.Float32, m.Vocab)
	state := m.newState(w.array) // of the layer that is read, if it has linear attention
	var columns engine.Array     // (heads, n): the sum of attention to each position
	if needs.Columns {
		columns = w.array(engine.Float32, m.Heads.Query*n)
	}
	if w.err != nil {
		return nil, w.err
	}

	for i, v := range p.Variants {
		if err := m.CheckPrompt(v, n, p.Sample); err != nil {
			return nil, &compress.ChoiceError{Index: i, Err: err}
		}
	}
	result := &Prefilled{device: d, Sequences: make([]Sequence, len(p.Variants)), Host: make([]bool, len(p.Variants)), Edited: make([]bool, len(p.Variants))}
	for i, v := range p.Variants {
		result.Sequences[i], result.Host[i] = m.sequence(v, place), v.Reads()
	}
	if p.Twins {
		result.Twins = slices.Clone(result.Sequences)
	}
	defer func() {
		if err != nil {
			d.Sync() // queued work still uses the caches
			result.Free()
		}
	}()

	chooser := compress.NewChooser(d)
	defer chooser.Free()
	d.PutInts(ids, p.IDs)
	d.Embed(hidden, m.embedding, ids, m.embeddingScale)
	blocks := (n + m.block - 1) / m.block
	tails := &tails{m: m, n: n}
	defer tails.free()
	computed, attending := p.Part.layers(m.Layers), p.Part.first(n, m.block)
	if needs.Columns && attending > 0 {
		d.Put(columns, make([]float32, columns.Len)) // the first blocks do not set their columns
	}
	watch := watch{p.Progress, computed * blocks, time.Now()}
	if computed == m.Layers {
		watch.total -= blocks - 1 // in the last layer only the last block takes time
	}
	// after is what follows attention, for block b of layer li, or its tokens from start on.
	after := func(li, b, start int, x engine.Array, s scratch) error {
		m.feed(x, s, &m.layers[li])
		if li == m.Layers-1 {
			if err := p.Trace.hidden(m.Layers, start, x); err != nil {
				return err
			}
		}
		return watch.report(d, min(li*blocks+b+1, watch.total))
	}
	for li := range m.layers {
		y := &m.layers[li]
		m.clear(state)
		ahead := blocks
		if li >= computed {
			ahead = 0
		}
		for b := range ahead {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			start := b * m.block
			rows := min(m.block, n-start)
			x := hidden.Slice(start*m.Width, (start+rows)*m.Width)
			if err := p.Trace.hidden(li, start, x); err != nil {
				return nil, err
			}
			s := w.rows(rows)
			d.RMSNorm(s.normed, x, y.attentionNorm, m.Epsilon)
			if m.Linear.Has(li) {
				m.mix(x, s, y, state)
				if err := after(li, b, start, x, s); err != nil {
					return nil, err
				}
				continue
			}
			engine.MatMulRotate(d, s.q, kv, s.qkv, s.normed, y.qkv, start, m.Heads, rotary.of(y), y.qkNorm)
			p.Trace.queries(li, start, s.q)
			if !m.Fixed(li) {
				m.holdQueries(queries, s.q, start, rows, n, held)
			}
			summing := needs.Columns && start >= attending && !m.Fixed(li)
			if li == m.Layers-1 && p.Trace.Logits == nil {
				if summing {
					d.ColumnSums(columns, s.q, kv, start, y.attention)
					summing = false
				}
				// After the last layer only the last token is needed.
				if b < blocks-1 {
					continue
				}
				x = hidden.Slice((n-1)*m.Width, n*m.Width)
				q, normed := s.q.Slice((rows-1)*m.QueryWidth(), rows*m.QueryWidth()), s.normed.Slice((rows-1)*m.Width, rows*m.Width)
				s = w.rows(1)
				d.Copy(s.q, q)
				if y.outGate != nil {
					d.Copy(s.normed, normed)
				}
				start, rows = n-1, 1
			}
			attended := s.q
			if start >= attending {
				attended = s.attended
				if summing {
					engine.AttentionColumnSums(d, attended, columns, s.q, kv, start, y.attention)
				} else {
					d.Attention(attended, s.q, kv, start, y.attention)
				}
			}
			m.gateOutput(s, attended, y)
			m.add(x, attended, s, y.out, y.attentionPost)
			if err := after(li, b, start, x, s); err != nil {
				return nil, err
			}
		}
		if !m.Linear.Has(li) {
			p.Trace.kv(li, kv)
		}
		if m.Linear.Has(li) {
			err = m.keep(state, p.Room, result)
		} else if m.Fixed(li) {
			err = m.slide(tails, p, result, y.attention.Window, kv)
		} else {
			place.Attention = y.attention
			place.Angles, place.AnglesFrom = m.angles(li, n)
			err = m.compress(chooser, p, result, place, compress.Source{KV: kv, Queries: queries, Columns: columns, Output: y.out, Width: m.Width})
			place.Index++
		}
		if err != nil {
			return nil, fmt.Errorf("layer %d: %w", li, err)
		}
	}
	if p.Trace.Logits != nil {
		if err := m.showLogits(p.Trace, w, hidden); err != nil {
			return nil, err
		}
	}
	s := w.rows(1)
	d.RMSNorm(s.normed, hidden.Slice((n-1)*m.Width, n*m.Width), m.norm, m.Epsilon)
	m.logits(last, s.normed)
	result.Logits = make([]float32, m.Vocab)
	d.Get(result.Logits, last)
	if err := d.Sync(); err != nil {
		return nil, err
	}
	if err := result.stored(); err != nil {
		return nil, err
	}
	return result, nil
}

// angles are what a prompt of n tokens is turned by in a layer, and the position from which
// tokens behind it are turned by the same.
func (m *Model) angles(layer, n int) (frequencies []float32, from int) {
	r := m.RopeOf(layer)
	if change := r.changes(); n > change {
		from = change
	}
	return r.For(n).Frequencies(m.Heads.Size), from
}

// logits is the output product, within the model's cap.
func (m *Model) logits(dst, normed engine.Array) {
	m.device.MatMul(dst, normed, m.output)
	if m.LogitCap > 0 {
		m.device.Cap(dst, m.LogitCap)
	}
}

// add is x += in · wᵀ, with a norm of the product where there is one.
func (m *Model) add(x, in engine.Array, s scratch, w engine.Weight, norm engine.Array) {
	if norm.Len == 0 {
		m.device.MatMulAdd(x, in, w)
		return
	}
	m.device.MatMul(s.normed, in, w)
	m.device.RMSNormAdd(x, s.normed, norm, m.Epsilon)
}

// feed is a layer's second half: x += feed-forward(norm(x)), with a norm behind it where the layer has one.
func (m *Model) feed(x engine.Array, s scratch, y *layer) {
	d := m.device
	d.RMSNorm(s.normed, x, y.feedNorm, m.Epsilon)
	if y.experts.PerToken > 0 {
		d.MixtureAdd(x, s.normed, y.experts)
		return
	}
	engine.MatMulGate(d, s.gated, s.gateUp, s.normed, y.gateUp, m.Activation)
	m.add(x, s.gated, s, y.down, y.feedPost)
}

// holdQueries copies the rows of q, positions from start on, that are among the
// last positions of n to held.
func (m *Model) holdQueries(held, q engine.Array, start, rows, n, last int) {
	lo := max(start, n-last)
	if lo >= start+rows {
		return
	}
	w := m.QueryWidth()
	m.device.Copy(held.Slice((lo-(n-last))*w, (start+rows-(n-last))*w), q.Slice((lo-start)*w, rows*w))
}
