package models

import (
	"fmt"
	"slices"

	"github.com/snapbench/snapbench/runners/engine"
)

// Decoder takes the next tokens of several sequences together: one row each,
// the weights read once per step for all of them.
type Decoder struct {
	m         *Model
	sequences []Sequence // as they were when the batch was made
	mirrors   []*mirror  // of the sequences that have a reader, nil for the others
	batch     engine.Batch
	w         *workspace
	hidden    engine.Array // (rows, width)
	ids       engine.Array // Int32 (rows): fed, then chosen
	chosen    []int32      // what ids holds, where that is known
	logits    engine.Array // Float32 (rows, vocab)
	room      int
	rotary    engine.Rotary
}

// NewDecoder joins sequences. Their caches stay the caller's, and must not be
// given to another decoder meanwhile.
func (m *Model) NewDecoder(sequences []Sequence) (*Decoder, error) {
	if len(sequences) == 0 {
		panic("models: a decoder without sequences")
	}
	b := &Decoder{m: m}
	for _, s := range sequences {
		b.sequences, b.mirrors = append(b.sequences, s), append(b.mirrors, m.newMirror(s))
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
	if b.rotary, err = m.rotate(end); err != nil {
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

// Close gives back what the decoder itself holds, not the caches.
func (b *Decoder) Close() {
	b.m.device.FreeBatch(b.batch)
	b.w.free()
}

// Rows returns the number of sequences.
func (b *Decoder) Rows() int { return len(b.sequences) }

// Step feeds one token to each sequence and returns the greedy choice of each, -1
// for one whose logits are not finite.
func (b *Decoder) Step(feed []int32) ([]int32, error) {
	if len(feed) != b.Rows() {
		panic(fmt.Sprintf("models: %d tokens for %d sequences", len(feed), b.Rows()))
	}
	if b.batch.Steps() >= b.room {
		return nil, fmt.Errorf("the caches have room for %d tokens and are full", b.room)
	}
	d := b.m.device
	if !slices.Equal(feed, b.chosen) { // mostly it is the last step's choice, which is there
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
	return next, nil
}

func (b *Decoder) step() {
	m, d, s, x := b.m, b.m.device, b.w.full, b.hidden
	d.Embed(x, m.embedding, b.ids)
	for i := range m.layers {
		y := &m.layers[i]
		d.RMSNorm(s.normed, x, y.attentionNorm, m.Epsilon)
		d.MatMul(s.qkv, s.normed, y.qkv)
		d.RotateAppend(s.q, b.batch, i, s.qkv, b.rotary, y.qkNorm)
		d.AttendCaches(s.attended, s.q, b.batch, i, y.window, m.scale())
		b.read(i, y.window)
		d.MatMulAdd(x, s.attended, y.out)
		m.feed(x, s, y)
	}
	d.RMSNorm(s.normed, x, m.norm, m.Epsilon)
	d.MatMul(b.logits, s.normed, m.output)
	d.ArgMax(b.ids, b.logits)
	d.Advance(b.batch)
}

// Greedy returns the index of the highest logit, the lowest index among equals, -1
// where one is not finite. Those that are excepted are not chosen; -1 where that
// leaves none.
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

// Logits copies a row of the last step's logits, (vocab).
func (b *Decoder) Logits(row int, dst []float32) {
	b.m.device.Get(dst, b.logits.Slice(row*b.m.Vocab, (row+1)*b.m.Vocab))
}

// Divergence returns KL(p ‖ q) in nats between pairs of rows of the last step's
// next-token distributions, whose logits must be finite.
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

// Retain goes on with some of the rows, in the order given; the others end.
func (b *Decoder) Retain(rows []int) error {
	steps := b.batch.Steps()
	next, mirrors := make([]Sequence, len(rows)), make([]*mirror, len(rows))
	for i, r := range rows {
		next[i], mirrors[i] = advance(b.sequences[r], steps), b.mirrors[r]
	}
	b.Close()
	b.sequences, b.mirrors = next, mirrors
	return b.open()
}

// advance returns a sequence as it is after steps tokens.
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
