package models

import (
	"fmt"
	"slices"

	"github.com/snapbench/snapbench/runners/engine"
)

// Decoder decodes several sequences together, one row each. Each step reads the
// weights once for all of them.
type Decoder struct {
	m         *Model
	sequences []Sequence // in their state when the batch was made
	batch     engine.Batch
	w         *workspace
	hidden    engine.Array // (rows, width)
	ids       engine.Array // Int32 (rows): the tokens that are fed, then those that are chosen
	chosen    []int32      // the content of ids, if it is known
	logits    engine.Array // Float32 (rows, vocab)
	room      int          // the number of steps for which all caches have room
	rotary    rotaries
	queries   engine.Array // where each step leaves its queries, or empty
}

// NewDecoder makes a decoder of sequences. The caller still owns their caches, and
// must not give them to another decoder at the same time. States of linear attention move on
// with each step: another decoder can only go on from [Decoder.Sequences].
func (m *Model) NewDecoder(sequences []Sequence) (*Decoder, error) {
	if len(sequences) == 0 {
		panic("models: a decoder without sequences")
	}
	b := &Decoder{m: m, sequences: slices.Clone(sequences)}
	for i, s := range sequences {
		if s.mirror == nil {
			b.sequences[i].mirror = m.newMirror(s)
		}
	}
	if err := b.open(); err != nil {
		return nil, err
	}
	return b, nil
}

func (b *Decoder) open() error {
	m, d, rows := b.m, b.m.device, len(b.sequences)
	end := 0
	b.room = 1 << 30
	for _, s := range b.sequences {
		for _, c := range s.Caches {
			b.room = min(b.room, c.Room)
		}
	}
	for _, s := range b.sequences {
		end = max(end, s.Position+b.room)
	}
	var err error
	if b.rotary, err = m.rotateTokens(end); err != nil {
		return err
	}
	b.w = m.workspace(rows)
	b.hidden = b.w.array(d.Type(), rows*m.Width)
	b.ids, b.chosen = b.w.array(engine.Int32, rows), nil
	b.logits = b.w.array(engine.Float32, rows*m.Vocab)
	if b.w.err == nil {
		list := make([]engine.Sequence, rows)
		for i, s := range b.sequences {
			list[i] = s.Sequence
		}
		b.batch, b.w.err = d.NewBatch(list, m.Heads)
	}
	if b.w.err != nil {
		b.w.free()
		return b.w.err
	}
	return nil
}

// Close frees the memory of the decoder, but not the caches.
func (b *Decoder) Close() {
	b.m.device.FreeBatch(b.batch)
	b.w.free()
}

// HoldQueries has each step leave its rotated queries in dst, (layers, rows, heads, d) of the
// device's type. It is called before the first step: steps may be recorded. The caller frees
// dst after the decoder is closed.
func (b *Decoder) HoldQueries(dst engine.Array) {
	if want := b.m.Layers * b.Rows() * b.m.QueryWidth(); dst.Len != want {
		panic(fmt.Sprintf("models: room for %d numbers of queries, a step has %d", dst.Len, want))
	}
	b.queries = dst
}

// Rows returns the number of sequences.
func (b *Decoder) Rows() int { return len(b.sequences) }

// Step feeds one token to each sequence and returns the greedy choice of each. It
// is -1 if the logits are not finite, and where [Decoder.Refused] says that a cache's format
// refused an entry.
func (b *Decoder) Step(feed []int32) ([]int32, error) {
	if len(feed) != b.Rows() {
		panic(fmt.Sprintf("models: %d tokens for %d sequences", len(feed), b.Rows()))
	}
	if b.batch.Steps() >= b.room {
		return nil, fmt.Errorf("the caches have room for %d tokens and are full", b.room)
	}
	d := b.m.device
	if !slices.Equal(feed, b.chosen) { // usually feed is the last step's choice, which ids already holds
		d.PutInts(b.ids, feed)
	}
	b.chosen = b.chosen[:0]
	if b.reads() {
		engine.Step(d, b.step)
	} else {
		d.Replay(b.batch, b.step)
	}
	next := make([]int32, b.Rows())
	d.GetInts(next, b.ids)
	if err := d.Sync(); err != nil {
		return nil, err
	}
	b.chosen = append(b.chosen, next...)
	for row, refused := range engine.Refused(d, b.batch) {
		if refused != nil {
			next[row] = -1
		}
	}
	return next, nil
}

// Refused returns why a row's cache could not store an entry; nil if it could.
func (b *Decoder) Refused(row int) error {
	if list := engine.Refused(b.m.device, b.batch); list != nil {
		return list[row]
	}
	return nil
}

func (b *Decoder) step() {
	m, d, s, x := b.m, b.m.device, b.w.full, b.hidden
	d.Embed(x, m.embedding, b.ids, m.embeddingScale)
	for i := range m.layers {
		y := &m.layers[i]
		d.RMSNorm(s.normed, x, y.attentionNorm, m.Epsilon)
		if m.Linear.Has(i) {
			b.mix(i, x, s, y)
			m.feed(x, s, y)
			continue
		}
		d.MatMul(s.qkv, s.normed, y.qkv)
		d.RotateAppend(s.q, b.batch, i, s.qkv, b.rotary.of(y), y.qkNorm)
		if b.queries.Len > 0 {
			d.Copy(b.queries.Slice(i*s.q.Len, (i+1)*s.q.Len), s.q)
		}
		d.AttendCaches(s.attended, s.q, b.batch, i, y.attention)
		b.read(i, y.attention)
		m.gateOutput(s, s.attended, y)
		m.add(x, s.attended, s, y.out, y.attentionPost)
		m.feed(x, s, y)
	}
	d.RMSNorm(s.normed, x, m.norm, m.Epsilon)
	m.logits(b.logits, s.normed)
	d.ArgMax(b.ids, b.logits)
	d.Advance(b.batch)
}

// Greedy returns the index of the highest logit that is not in except, the lowest
// index among equals. It is -1 if a logit is not finite or none is left.
func Greedy(logits []float32, except ...int32) int32 {
	best := int32(-1)
	if !Finite(logits) {
		return best
	}
	for i, v := range logits {
		if (best < 0 || v > logits[best]) && !slices.Contains(except, int32(i)) {
			best = int32(i)
		}
	}
	return best
}

// Likeliest is the one of some tokens with the highest of finite logits, the first among equals.
func Likeliest(logits []float32, among []int32) int32 {
	best := among[0]
	for _, i := range among[1:] {
		if logits[i] > logits[best] {
			best = i
		}
	}
	return best
}

// Logits copies a row of the last step's logits, (vocab).
func (b *Decoder) Logits(row int, dst []float32) {
	b.m.device.Get(dst, b.logits.Slice(row*b.m.Vocab, (row+1)*b.m.Vocab))
}

// Divergence returns KL(p ‖ q) in nats for pairs of rows, between the next-token
// distributions of the last step. The logits must be finite.
func (b *Decoder) Divergence(p, q []int) ([]float32, error) {
	a, err := b.m.device.New(engine.Float32, len(p))
	if err != nil {
		return nil, err
	}
	defer b.m.device.Free(a)
	b.m.device.Divergence(a, b.logits, b.m.Vocab, p, q)
	out := make([]float32, len(p))
	b.m.device.Get(out, a)
	return out, b.m.device.Sync()
}

// Room returns the number of steps that are left until a cache is full.
func (b *Decoder) Room() int { return b.room - b.batch.Steps() }

// Sequences returns the state of all rows: another decoder goes on from it, with these rows
// or some of them, and others beside them.
func (b *Decoder) Sequences() []Sequence {
	list := make([]Sequence, len(b.sequences))
	for i, s := range b.sequences {
		list[i] = advance(s, b.batch.Steps())
	}
	return list
}

// advance returns the state of a sequence after steps tokens.
func advance(s Sequence, steps int) Sequence {
	caches := make([]engine.Cache, len(s.Caches))
	for i, c := range s.Caches {
		c.Len = append([]int(nil), c.Len...)
		for h := range c.Len {
			c.Len[h] += steps
		}
		c.Room -= steps
		caches[i] = c
	}
	s.Caches, s.Position = caches, s.Position+steps
	return s
}
