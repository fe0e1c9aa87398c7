package models

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/snapbench/snapbench/inputs/lookup"
	"github.com/snapbench/snapbench/runners/engine"
)

// shapes are the sizes of public models, to measure speed and memory without their
// weights. Source: the config.json of each model. tiny is our own, for tests.
var shapes = map[string]Config{
	"llama-2-7b": {Family: "llama", Layers: 32, Width: 4096, Heads: engine.Heads{Query: 32, KV: 32, Size: 128}, FF: 11008,
		Vocab: 32000, Context: 4096, Epsilon: 1e-5, Rope: Rope{Theta: 10000, Type: "default"}},
	"lwm-7b-1m": {Family: "llama", Layers: 32, Width: 4096, Heads: engine.Heads{Query: 32, KV: 32, Size: 128}, FF: 11008,
		Vocab: 32000, Context: 1 << 20, Epsilon: 1e-6, Rope: Rope{Theta: 50_000_000, Type: "default"}},
	"llama-3-8b": {Family: "llama", Layers: 32, Width: 4096, Heads: engine.Heads{Query: 32, KV: 8, Size: 128}, FF: 14336,
		Vocab: 128256, Context: 8192, Epsilon: 1e-5, Rope: Rope{Theta: 500000, Type: "default"}},
	"mistral-7b": {Family: "mistral", Layers: 32, Width: 4096, Heads: engine.Heads{Query: 32, KV: 8, Size: 128}, FF: 14336,
		Vocab: 32000, Context: 32768, Epsilon: 1e-5, Rope: Rope{Theta: 1e6, Type: "default"}},
	"mixtral-8x7b": {Family: "mixtral", Layers: 32, Width: 4096, Heads: engine.Heads{Query: 32, KV: 8, Size: 128}, FF: 14336,
		Vocab: 32000, Context: 32768, Epsilon: 1e-5, Rope: Rope{Theta: 1e6, Type: "default"}, Mixture: Mixture{Experts: 8, PerToken: 2, ExpertFF: 14336}},
	"qwen2.5-7b": {Family: "qwen2", QKVBias: true, Layers: 28, Width: 3584, Heads: engine.Heads{Query: 28, KV: 4, Size: 128}, FF: 18944,
		Vocab: 152064, Context: 32768, Epsilon: 1e-6, Rope: Rope{Theta: 1e6, Type: "default"}},
	"tiny": {Family: "llama", Layers: 2, Width: 64, Heads: engine.Heads{Query: 4, KV: 2, Size: 16}, FF: 128,
		Vocab: 256, Context: 1 << 20, Epsilon: 1e-5, Rope: Rope{Theta: 1e6, Type: "default"}, Tied: true},
}

// Shapes lists the names of all shapes, sorted.
func Shapes() []string {
	return slices.Sorted(func(yield func(string) bool) {
		for name := range shapes {
			if !yield(name) {
				return
			}
		}
		for name := range shapeConfigs {
			if !yield(name) {
				return
			}
		}
	})
}

// OpenShape makes a model of a public size with random weights. spec is "NAME" or
// "NAME,layers=N,seed=S,context=N,vocab=N,storage=KIND", KIND being bf16, fp8, mxfp4, q8_0 or q4_k. The
// context of the public model is not a limit, because random weights were not trained for any.
func OpenShape(spec string) (*Files, error) {
	parts := strings.Split(spec, ",")
	c, ok := shapes[parts[0]]
	if config, more := shapeConfigs[parts[0]]; more {
		ok = true
		var err error
		if c, err = ParseConfig("shape "+parts[0], []byte(config), nil); err != nil {
			return nil, err
		}
	}
	if !ok {
		return nil, lookup.Unknown("shape", parts[0], Shapes()...)
	}
	c.Context = max(c.Context, 1<<22)
	seed, storage := uint64(1), plainStorage
	if own := shapeStorages[parts[0]]; own != "" {
		storage = own
	}
	layers := c.Layers
	for _, p := range parts[1:] {
		key, value, _ := strings.Cut(p, "=")
		if key == "storage" {
			if err := shapeStorage(c, value); err != nil {
				return nil, fmt.Errorf("shape %q: %w", spec, err)
			}
			storage = value
			continue
		}
		n, err := strconv.ParseUint(value, 10, 31)
		if err != nil {
			return nil, fmt.Errorf("shape %q: %q is not name=number", spec, p)
		}
		switch key {
		case "layers":
			c.Layers = int(n)
		case "seed":
			seed = n
		case "context":
			c.Context = int(n)
		case "vocab":
			c.Vocab = int(n)
		default:
			return nil, fmt.Errorf("shape %q: %w", spec, lookup.Unknown("option", key, "layers", "seed", "context", "vocab", "storage"))
		}
	}
	if c.Layers < 1 || c.Layers > 1<<12 {
		return nil, fmt.Errorf("shape %q: %d layers", spec, c.Layers)
	}
	windows := make([]int, c.Layers)
	for i := range windows {
		if len(c.Windows) > 0 { // more layers than the model has begin again
			windows[i] = c.Windows[i%layers]
		}
	}
	c.Windows = windows
	c.Linear = c.Linear.repeated(c.Layers)
	if storage != plainStorage {
		c.Stored = storage
	}
	if err := c.Check(); err != nil {
		return nil, fmt.Errorf("shape %q: %w", spec, err)
	}
	return randomFiles(c, "shape:"+spec, seed, storage), nil
}

// plainStorage is that of weights which [Config].Stored does not tell of.
const plainStorage = "bf16"

// RandomFiles is a model of a configuration with random weights, stored as those of its files.
func RandomFiles(c Config, name string, seed uint64) *Files {
	return randomFiles(c, name, seed, cmp.Or(c.Stored, plainStorage))
}

func randomFiles(c Config, name string, seed uint64, storage string) *Files {
	return &Files{Config: c, Source: randomSource{c, seed, storage}, Bytes: storedBytes(c, storage), Path: name}
}

type randomSource struct {
	c       Config
	seed    uint64
	storage string // of projections: see packed
}

func (s randomSource) Has(_ Role, layer int) bool { return layer < s.c.Layers }

func (s randomSource) Tensor(role Role, layer, expert, rows, cols int) (engine.Stored, error) {
	name := fmt.Sprintf("random %d of layer %d", role, layer)
	if expert >= 0 {
		name += fmt.Sprintf(", expert %d", expert)
	}
	h := fnv.New64a()
	fmt.Fprintf(h, "%d %s", s.seed, name)
	t := random{name: name, rows: rows, cols: cols, seed: h.Sum64()}
	switch role {
	case OutputNorm, AttentionNorm, FeedNorm, AttentionPostNorm, FeedPostNorm, QueryNorm, KeyNorm, LinearNorm:
		n := norm{name: name, cols: cols, value: 1}
		if s.c.UnitNorms && role != LinearNorm { // stored less 1
			n.value = 0
		}
		return n, nil
	}
	// A uniform number on (-s, s) has variance s²/3, so with s = √(3/cols) products
	// with normed rows have unit variance.
	t.scale = float32(math.Sqrt(3 / float64(cols)))
	if role == Embedding {
		t.scale = 1
	}
	return s.packed(t, role, expert), nil
}

type random struct {
	name       string
	rows, cols int
	seed       uint64
	scale      float32
}

var _ engine.Random = random{}

func (r random) Name() string            { return r.name }
func (r random) Rows() int               { return r.rows }
func (r random) Cols() int               { return r.cols }
func (r random) Storage() engine.Storage { return engine.F32 }
func (r random) Seed() uint64            { return r.seed }
func (r random) Scale() float32          { return r.scale }

func (r random) ReadRow(i int, dst []float32) {
	at := uint64(i) * uint64(r.cols)
	for j := range dst {
		dst[j] = engine.RandomValue(r.seed, at+uint64(j), r.scale)
	}
}

func (r random) RawRow(i int) []byte {
	row := make([]float32, r.cols)
	r.ReadRow(i, row)
	return rawFloats(row)
}

func rawFloats(row []float32) []byte {
	raw := make([]byte, 0, 4*len(row))
	for _, v := range row {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	return raw
}

// norm is the weight of a norm that changes nothing.
type norm struct {
	name  string
	cols  int
	value float32
}

func (o norm) Name() string            { return o.name }
func (o norm) Rows() int               { return 1 }
func (o norm) Cols() int               { return o.cols }
func (o norm) Storage() engine.Storage { return engine.F32 }

func (o norm) ReadRow(_ int, dst []float32) {
	for j := range dst {
		dst[j] = o.value
	}
}

func (o norm) RawRow(i int) []byte {
	row := make([]float32, o.cols)
	o.ReadRow(i, row)
	return rawFloats(row)
}
