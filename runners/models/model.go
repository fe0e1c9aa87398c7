package models

import (
	"fmt"

	"github.com/snapbench/snapbench/runners/engine"
)

// Model is a decoder whose weights are on a device.
type Model struct {
	Config
	device    engine.Device
	embedding engine.Weight
	output    engine.Weight // the embedding itself if they are tied
	norm      engine.Array
	// embeddingScale is 1 where embeddings stay as they are.
	embeddingScale float32
	layers         []layer
	block          int // tokens per prefill block
	rotaries       map[turning]engine.Rotary
	outgrown       []engine.Rotary
}

type layer struct {
	attentionNorm, feedNorm engine.Array
	attentionPost, feedPost engine.Array // norms behind attention and feed-forward, or empty
	qkNorm                  engine.QKNorm
	qkv                     engine.Weight // (queryWidth+2·kvWidth, width); of a layer with linear attention (in, width)
	out                     engine.Weight // (width, queryWidth); (width, out)
	outGate                 engine.Weight // (queryWidth, width), or nil
	linear                  engine.LinearAttention
	gateUp                  engine.Weight // (2·ff, width)
	down                    engine.Weight // (width, ff)
	experts                 engine.Experts
	attention               engine.Attention
}

// Blocker is a device with a preferred number of tokens per prefill block.
type Blocker interface{ BlockTokens() int }

// Sizer is a device that does not keep every weight in its own type.
type Sizer interface {
	// WeightBytes is the least number of bytes that LoadWeight takes for a part.
	WeightBytes(part engine.Stored) int64
}

// Load loads a model's weights to a device. done, unless it is nil, is called with
// the number of layers loaded so far. If the weights are larger than the device's
// free memory, the error is an *engine.OutOfMemory and no weight is read.
func Load(d engine.Device, f *Files, done func(layers int)) (*Model, error) {
	if err := f.Config.serves(d); err != nil {
		return nil, fmt.Errorf("%s: %w", f.Path, err)
	}
	size := &sizing{Device: d}
	if _, err := load(size, f, nil); err != nil {
		return nil, err
	}
	if free := d.Memory().Free; free > 0 && size.bytes > free {
		return nil, fmt.Errorf("%s: the weights do not fit: %w", f.Path, &engine.OutOfMemory{Device: d.Name(), Need: size.bytes, Free: free})
	}
	m, err := load(d, f, done)
	if err != nil {
		return nil, err
	}
	if m.embeddingScale, err = embeddingScale(d, f.Config); err != nil {
		m.Close()
		return nil, fmt.Errorf("%s: %w", f.Path, err)
	}
	return m, nil
}

// sizing replaces a device: it loads nothing and counts the bytes that weights need.
type sizing struct {
	engine.Device
	bytes int64
}

func (s *sizing) LoadWeight(parts, _ []engine.Stored) (engine.Weight, error) {
	for _, p := range parts {
		if d, ok := s.Device.(Sizer); ok {
			s.bytes += d.WeightBytes(p)
		} else {
			s.bytes += int64(p.Rows()) * int64(p.Cols()) * int64(s.Type().Size())
		}
	}
	return nil, nil
}

func (s *sizing) LoadVector(v engine.Stored) (engine.Array, error) {
	s.bytes += 4 * int64(v.Cols())
	return engine.Array{}, nil
}

func (s *sizing) FreeWeight(engine.Weight) {}
func (s *sizing) Free(...engine.Array)     {}

func load(d engine.Device, f *Files, done func(layers int)) (*Model, error) {
	c := f.Config
	m := &Model{Config: c, device: d, block: 512}
	if b, ok := d.(Blocker); ok {
		m.block = b.BlockTokens()
	}
	l := loader{d: d, s: f.Source, layer: -1, unit: c.UnitNorms, biased: map[Role]bool{
		QueryBias: c.QKVBias, KeyBias: c.QKVBias, ValueBias: c.QKVBias, AttentionOutputBias: c.OutBias,
		RouterBias: c.RouterBias, GateBias: c.ExpertsBias, UpBias: c.ExpertsBias, DownBias: c.ExpertsBias}}
	m.embedding = l.weight(part{Embedding, c.Vocab, c.Width})
	m.norm = l.vector(OutputNorm, c.Width)
	m.output = m.embedding
	if !c.Tied {
		m.output = l.weight(part{Output, c.Vocab, c.Width})
	}
	for i := range c.Layers {
		l.layer = i
		y := layer{attention: engine.Attention{Heads: c.Heads, Window: c.Windows[i], Scale: c.Scale(), Cap: c.AttentionCap}}
		y.attentionNorm, y.feedNorm = l.vector(AttentionNorm, c.Width), l.vector(FeedNorm, c.Width)
		if c.PostNorms {
			y.attentionPost, y.feedPost = l.vector(AttentionPostNorm, c.Width), l.vector(FeedPostNorm, c.Width)
		}
		if c.Sinks {
			y.attention.Sinks = l.vector(Sinks, c.Heads.Query)
		}
		if c.Linear.Has(i) {
			y.linear = l.linear(c)
			y.qkv, y.out = l.linearWeights(c)
		} else if c.QKNorm {
			y.qkNorm = engine.QKNorm{Query: l.vector(QueryNorm, c.Heads.Size), Key: l.vector(KeyNorm, c.Heads.Size), Epsilon: c.Epsilon}
		}
		if !c.Linear.Has(i) {
			y.qkv = l.weight(part{Query, c.QueryWidth(), c.Width}, part{Key, c.KVWidth(), c.Width}, part{Value, c.KVWidth(), c.Width})
			y.out = l.weight(part{AttentionOutput, c.Width, c.QueryWidth()})
			if c.OutGate {
				y.outGate = l.weight(part{QueryGate, c.QueryWidth(), c.Width})
			}
		}
		if !c.Sparse(i) {
			y.gateUp = l.weight(part{Gate, c.FF, c.Width}, part{Up, c.FF, c.Width})
			y.down = l.weight(part{Down, c.Width, c.FF})
		} else {
			y.experts = engine.Experts{Router: l.weight(part{Router, c.Experts, c.Width}), PerToken: c.PerToken, Shares: c.Shares, Activation: c.Activation}
			for e := range c.Experts {
				y.experts.GateUp = append(y.experts.GateUp, l.expert(e, part{Gate, c.ExpertFF, c.Width}, part{Up, c.ExpertFF, c.Width}))
				y.experts.Down = append(y.experts.Down, l.expert(e, part{Down, c.Width, c.ExpertFF}))
			}
		}
		m.layers = append(m.layers, y)
		if l.err == nil && done != nil {
			done(i + 1)
		}
	}
	if l.err == nil {
		l.err = d.Sync()
	}
	if l.err != nil {
		l.free()
		return nil, fmt.Errorf("%s: %w", f.Path, l.err)
	}
	return m, nil
}

// Attention is how a layer attends.
func (m *Model) Attention(layer int) engine.Attention { return m.layers[layer].attention }

// Device returns the device that holds the model.
func (m *Model) Device() engine.Device { return m.device }

// Close frees all memory of the model on the device.
func (m *Model) Close() {
	d := m.device
	m.freeRotaries()
	weights := []engine.Weight{m.embedding}
	if m.output != m.embedding {
		weights = append(weights, m.output)
	}
	d.Free(m.norm)
	for i, y := range m.layers {
		d.Free(y.attentionNorm, y.feedNorm, y.attentionPost, y.feedPost, y.qkNorm.Query, y.qkNorm.Key, y.attention.Sinks)
		d.Free(y.linear.Conv, y.linear.Decay, y.linear.Bias, y.linear.Norm)
		weights = append(weights, y.qkv, y.out)
		if y.outGate != nil {
			weights = append(weights, y.outGate)
		}
		if !m.Sparse(i) {
			weights = append(weights, y.gateUp, y.down)
		} else {
			weights = append(append(append(weights, y.experts.Router), y.experts.GateUp...), y.experts.Down...)
		}
	}
	for _, w := range weights {
		d.FreeWeight(w)
	}
	m.layers = nil
}

// embeddingScale is the factor of a model's embeddings on a device.
func embeddingScale(d engine.Device, c Config) (float32, error) {
	if c.EmbeddingScale == 0 {
		return 1, nil
	}
	if !c.RoundedScale {
		return c.EmbeddingScale, nil
	}
	a, err := d.New(d.Type(), 1)
	if err != nil {
		return 0, err
	}
	defer d.Free(a)
	v := []float32{c.EmbeddingScale}
	d.Put(a, v)
	d.Get(v, a)
	return v[0], nil
}

type part struct {
	role       Role
	rows, cols int
}

// loader loads weights and keeps the first error, after which free frees what it loaded.
type loader struct {
	d       engine.Device
	s       Source
	layer   int
	unit    bool          // norms lack 1
	biased  map[Role]bool // the biases that the configuration has; others in the files are ignored
	err     error
	weights []engine.Weight
	arrays  []engine.Array
}

func (l *loader) free() {
	for _, w := range l.weights {
		l.d.FreeWeight(w)
	}
	l.d.Free(l.arrays...)
}

// biases are those that products may have: of gate, up and down only an expert's.
var biases = map[Role]Role{Query: QueryBias, Key: KeyBias, Value: ValueBias, AttentionOutput: AttentionOutputBias,
	Router: RouterBias, Gate: GateBias, Up: UpBias, Down: DownBias}

func (l *loader) weight(parts ...part) engine.Weight { return l.expert(-1, parts...) }

func (l *loader) expert(expert int, parts ...part) engine.Weight {
	if l.err != nil {
		return nil
	}
	var stored, bias []engine.Stored
	for _, p := range parts {
		layer := l.layer
		t, err := l.s.Tensor(p.role, layer, expert, p.rows, p.cols)
		if err != nil {
			l.err = err
			return nil
		}
		stored = append(stored, t)
		var b engine.Stored
		if role, ok := biases[p.role]; ok && l.biased[role] && (expert >= 0 || role < GateBias) {
			if b, err = l.s.Tensor(role, layer, expert, 1, p.rows); err != nil {
				l.err = err
				return nil
			}
		}
		bias = append(bias, b)
	}
	w, err := l.d.LoadWeight(stored, bias)
	if err != nil {
		l.err = err
		return nil
	}
	l.weights = append(l.weights, w)
	return w
}

// onePlus is a norm's weight of which a file has what is above 1.
type onePlus struct{ engine.Stored }

func (o onePlus) Storage() engine.Storage { return engine.F32 }

func (o onePlus) ReadRow(i int, dst []float32) {
	o.Stored.ReadRow(i, dst)
	for j := range dst {
		dst[j]++
	}
}

func (o onePlus) RawRow(i int) []byte {
	row := make([]float32, o.Cols())
	o.ReadRow(i, row)
	return rawFloats(row)
}

func (l *loader) vector(role Role, n int) engine.Array {
	if l.err != nil {
		return engine.Array{}
	}
	t, err := l.s.Tensor(role, l.layer, -1, 1, n)
	if err != nil {
		l.err = err
		return engine.Array{}
	}
	if l.unit {
		t = onePlus{t}
	}
	return l.load(t)
}

func (l *loader) load(t engine.Stored) engine.Array {
	a, err := l.d.LoadVector(t)
	if err != nil {
		l.err = err
	}
	l.arrays = append(l.arrays, a)
	return a
}
