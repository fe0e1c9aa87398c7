package models

import (
	"errors"
	"fmt"

	"github.com/snapbench/snapbench/runners/engine"
)

// ErrLinear is wrapped by errors of models that the device lacks linear attention for.
var ErrLinear = errors.New("linear attention is not supported")

// Linear describes the layers with linear attention, which keep a state in place of keys and values: see
// [engine.LinearAttention].
type Linear struct {
	Layers               []bool // by layer; nil where no layer has it
	KeyHeads, ValueHeads int
	KeySize, ValueSize   int
	Kernel               int
}

// Has says whether a layer has linear attention.
func (l Linear) Has(layer int) bool { return len(l.Layers) > 0 && l.Layers[layer] }

// Count is the number of these layers.
func (l Linear) Count() (n int) {
	for _, is := range l.Layers {
		if is {
			n++
		}
	}
	return n
}

// repeated is the same for another number of layers: more than the model has begin again.
func (l Linear) repeated(layers int) Linear {
	if len(l.Layers) > 0 {
		list := make([]bool, layers)
		for i := range list {
			list[i] = l.Layers[i%len(l.Layers)]
		}
		l.Layers = list
	}
	return l
}

func (l Linear) check(c Config) error {
	switch {
	case len(l.Layers) == 0:
		return nil
	case len(l.Layers) != c.Layers:
		return fmt.Errorf("%d kinds of attention for %d layers", len(l.Layers), c.Layers)
	case l.Count() == c.Layers:
		return errors.New("every layer has linear attention: no cache of keys and values is left to compress")
	case c.PostNorms:
		return errors.New("linear attention with a norm behind it is not supported")
	}
	for _, f := range []struct {
		name  string
		value int
	}{{"linear key heads", l.KeyHeads}, {"linear value heads", l.ValueHeads}, {"linear key size", l.KeySize}, {"linear value size", l.ValueSize},
		{"the convolution's kernel", l.Kernel}} {
		if f.value < 1 || f.value > 1<<13 {
			return fmt.Errorf("%s: %d", f.name, f.value)
		}
	}
	if l.Kernel < 2 {
		return errors.New("a convolution with a kernel of 1 is not supported")
	}
	if l.ValueHeads%l.KeyHeads != 0 {
		return fmt.Errorf("%d linear value heads do not divide among %d key heads", l.ValueHeads, l.KeyHeads)
	}
	return nil
}

// LinearPlanner is a device whose LinearAttention needs additional memory and does not serve all sizes.
type LinearPlanner interface {
	// LinearBytes is that memory in bytes, for so many tokens of a prompt.
	LinearBytes(tokens int, by engine.LinearAttention) int64
	// ServesLinear says why linear attention of these sizes, its weights left out, is not served.
	ServesLinear(by engine.LinearAttention) error
}

// serves refuses a device for a model that needs linear attention which it does not have.
func (c Config) serves(d engine.Device) error {
	if _, ok := d.(engine.LinearAttender); !ok && (c.Linear.Count() > 0 || c.OutGate) {
		return fmt.Errorf("%w on %s: have cpu, cuda, ref", ErrLinear, d.Name())
	}
	if p, ok := d.(LinearPlanner); ok && c.Linear.Count() > 0 {
		if err := p.ServesLinear(c.Linear.shape()); err != nil {
			return fmt.Errorf("%w: %w", ErrLinear, err)
		}
	}
	return nil
}

// shape is a layer's linear attention without its weights.
func (l Linear) shape() engine.LinearAttention {
	return engine.LinearAttention{KeyHeads: l.KeyHeads, ValueHeads: l.ValueHeads, KeySize: l.KeySize, ValueSize: l.ValueSize, Kernel: l.Kernel}
}

// StateBytes is what a sequence keeps in a layer.
func (l Linear) StateBytes() int64 {
	s, conv := l.shape().StateLen()
	return 4 * int64(s+conv)
}

// WrittenBytes is what a decoding step of so many rows writes of states, all of which it reads, too.
func (c Config) WrittenBytes(rows int) int64 {
	return int64(rows) * int64(c.Linear.Count()) * c.Linear.StateBytes()
}

// parameters counts a layer's numbers without its norms and its feed-forward.
func (l Linear) parameters(width int) int64 {
	s := l.shape()
	return int64(width)*int64(s.In()+s.Out()) + int64(s.Channels()*l.Kernel+2*l.ValueHeads+l.ValueSize)
}

// linear loads a layer's convolution, decays and norm, which is stored as it is.
func (l *loader) linear(c Config) engine.LinearAttention {
	s := c.Linear.shape()
	s.Epsilon = c.Epsilon
	s.Conv = l.plain(LinearConv, s.Channels(), s.Kernel)
	s.Decay, s.Bias = l.plain(LinearDecay, 1, s.ValueHeads), l.plain(LinearBias, 1, s.ValueHeads)
	s.Norm = l.plain(LinearNorm, 1, s.ValueSize)
	return s
}

func (l *loader) linearWeights(c Config) (in, out engine.Weight) {
	s := c.Linear.shape()
	in = l.weight(part{LinearQKV, s.Channels(), c.Width}, part{LinearZ, s.Out(), c.Width}, part{LinearB, s.ValueHeads, c.Width}, part{LinearA, s.ValueHeads, c.Width})
	return in, l.weight(part{LinearOutput, c.Width, s.Out()})
}

// plain loads a matrix's rows, one behind the other, as they are stored.
func (l *loader) plain(role Role, rows, cols int) engine.Array {
	if l.err != nil {
		return engine.Array{}
	}
	t, err := l.s.Tensor(role, l.layer, -1, rows, cols)
	if err != nil {
		l.err = err
		return engine.Array{}
	}
	return l.load(flat{t})
}

// flat is a matrix as one row.
type flat struct{ engine.Stored }

func (f flat) Rows() int               { return 1 }
func (f flat) Cols() int               { return f.Stored.Rows() * f.Stored.Cols() }
func (f flat) Storage() engine.Storage { return engine.F32 }

func (f flat) ReadRow(_ int, dst []float32) {
	cols := f.Stored.Cols()
	for i := range f.Stored.Rows() {
		f.Stored.ReadRow(i, dst[i*cols:(i+1)*cols])
	}
}

func (f flat) RawRow(i int) []byte {
	row := make([]float32, f.Cols())
	f.ReadRow(i, row)
	return rawFloats(row)
}

// newState makes a state, empty in models without linear attention.
func (m *Model) newState(array func(engine.Type, int) engine.Array) engine.State {
	if m.Linear.Count() == 0 {
		return engine.State{}
	}
	s, conv := m.Linear.shape().StateLen()
	return engine.State{S: array(engine.Float32, s), Conv: array(engine.Float32, conv)}
}

// clear makes it the state before the first token.
func (m *Model) clear(s engine.State) {
	if s.S.Len == 0 {
		return
	}
	m.device.Put(s.S, make([]float32, s.S.Len))
	m.device.Put(s.Conv, make([]float32, s.Conv.Len))
}

// mix is linear attention of a block of tokens behind those of a state: x += out · attention(in · normed).
func (m *Model) mix(x engine.Array, s scratch, y *layer, state engine.State) {
	m.device.MatMul(s.linearIn, s.normed, y.qkv)
	m.device.(engine.LinearAttender).LinearAttention(s.mixed, s.linearIn, state, y.linear)
	m.device.MatMulAdd(x, s.mixed, y.out)
}

// mix is the same of one token of each sequence.
func (b *Decoder) mix(layer int, x engine.Array, s scratch, y *layer) {
	d := b.m.device
	d.MatMul(s.linearIn, s.normed, y.qkv)
	d.(engine.LinearAttender).AttendStates(s.mixed, s.linearIn, b.batch, layer, y.linear)
	d.MatMulAdd(x, s.mixed, y.out)
}

// gateOutput multiplies what was attended by the gate of the same normed tokens, where the model has one. It takes the
// memory of the projections, which are not needed any more.
func (m *Model) gateOutput(s scratch, attended engine.Array, y *layer) {
	if y.outGate == nil {
		return
	}
	gate := s.qkv.Slice(0, attended.Len)
	m.device.MatMul(gate, s.normed, y.outGate)
	m.device.(engine.LinearAttender).GateOutput(attended, gate)
}

// keep gives every sequence a copy of a layer's state behind the prompt: all share what came before, and each goes on with
// its own.
func (m *Model) keep(state engine.State, room int, result *Prefilled) (err error) {
	array := func(t engine.Type, n int) engine.Array {
		a, failed := m.device.New(t, n)
		if failed != nil && err == nil {
			err = failed
		}
		return a
	}
	for _, list := range [][]Sequence{result.Sequences, result.Twins} {
		for i := range list {
			own := m.newState(array)
			list[i].Caches = append(list[i].Caches, engine.Cache{Room: room, Size: m.Heads.Size, State: own})
			if err != nil {
				return err
			}
			m.device.Copy(own.S, state.S)
			m.device.Copy(own.Conv, state.Conv)
		}
	}
	return nil
}
