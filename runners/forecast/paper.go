package forecast

import (
	"slices"

	"github.com/snapbench/snapbench/inputs/lookup"
	"github.com/snapbench/snapbench/runners/cpu"
	"github.com/snapbench/snapbench/runners/cuda"
	"github.com/snapbench/snapbench/runners/cuda/card"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/models"
)

// paper is a device that is not there. It takes weights, counts their bytes, and says what a device says of its memory; it
// computes nothing: an operation on it is a mistake of this package, and panics.
type paper struct {
	engine.Device         // nil
	engine.LinearAttender // nil: every device that a forecast knows has it
	name                  string
	kind                  engine.Type
	total                 int64 // bytes
	held, vectors         int64 // of weights, and of norms
}

func (p *paper) Name() string             { return p.name }
func (p *paper) Type() engine.Type        { return p.kind }
func (p *paper) Sync() error              { return nil }
func (p *paper) FreeWeight(engine.Weight) {}
func (p *paper) Free(...engine.Array)     {}

// Memory is that of a device on which nothing but the weights is.
func (p *paper) Memory() engine.Memory {
	return engine.Memory{Total: p.total, Free: p.total - p.held - p.vectors, Weights: p.held, InUse: p.held + p.vectors}
}

// paperCard is a card on paper.
type paperCard struct{ *paper }

var (
	_ models.Sizer         = (*paper)(nil)
	_ models.Blocker       = paperCard{}
	_ models.Packer        = paperCard{}
	_ models.Mixer         = paperCard{}
	_ models.LinearPlanner = paperCard{}
	_ models.Unpacker      = paperCard{}
	_ engine.Companion     = paperCard{}
)

func (p paperCard) BlockTokens() int        { return cuda.BlockTokens }
func (p paperCard) Companions() int         { return cuda.Companions(p.kind, true) }
func (p paperCard) Takes(bytes int64) int64 { return card.Takes(bytes) }

func (p paperCard) MixtureBytes(tokens, width, ff, experts, perToken int) int64 {
	return cuda.MixtureBytes(p.kind, tokens, width, ff, experts, perToken)
}

func (p paperCard) LinearBytes(tokens int, by engine.LinearAttention) int64 {
	return cuda.LinearBytes(tokens, by)
}

func (p paperCard) ServesLinear(by engine.LinearAttention) error { return cuda.ServesLinear(by) }

// onPaper is a model on a device of so many bytes that is not there.
func onPaper(of *models.Files, model, dtype, device string, memory int64) (*models.Model, error) {
	p := &paper{name: device, total: memory}
	switch dtype {
	case "auto":
		if p.kind = engine.BFloat16; engine.OnHost(device) {
			p.kind = engine.Float32
		}
	case "bfloat16":
		p.kind = engine.BFloat16
	case "float16":
		p.kind = engine.Float16
	case "float32":
		p.kind = engine.Float32
	default:
		return nil, lookup.Unknown("dtype", dtype, "auto", "float32", "float16", "bfloat16")
	}
	var d engine.Device = paperCard{p}
	if engine.OnHost(device) {
		d = p
	}
	files := models.RandomFiles(of.Config, model, 1)
	if of.Source != nil {
		files.Source = of.Source
	}
	return models.Load(d, files, nil)
}

// sheet is a weight on paper.
type sheet struct {
	rows, cols   int
	bytes, plain int64 // and when it is unpacked
}

func (s sheet) Rows() int    { return s.rows }
func (s sheet) Cols() int    { return s.cols }
func (s sheet) Bytes() int64 { return s.bytes }

// sheet returns a weight on paper that takes so many bytes, which are counted.
func (p *paper) sheet(parts []engine.Stored, bytes int64) (engine.Weight, error) {
	s := sheet{cols: parts[0].Cols(), bytes: bytes}
	for _, part := range parts {
		s.rows += part.Rows()
	}
	s.plain = int64(s.rows) * int64(s.cols) * int64(p.kind.Size())
	p.held += s.bytes
	return s, nil
}

// LoadWeight counts what a host would hold at most, whatever its processor.
func (p *paper) LoadWeight(parts, bias []engine.Stored) (engine.Weight, error) {
	if p.name == "cpu" {
		return p.sheet(parts, cpu.WeightBytes(parts, bias))
	}
	var numbers int64 // ref has them in float32, or in less
	for _, part := range parts {
		numbers += int64(part.Rows()) * int64(part.Cols()+1)
	}
	return p.sheet(parts, 4*numbers)
}

// WeightBytes is what a part takes.
func (p *paper) WeightBytes(part engine.Stored) int64 {
	if p.name == "cpu" {
		return cpu.WeightBytes([]engine.Stored{part}, nil)
	}
	return 4 * int64(part.Rows()) * int64(part.Cols())
}

// New, Put and Get serve a number that is rounded to the device's type, which plays no part on paper.
func (p *paper) New(t engine.Type, n int) (engine.Array, error) {
	return engine.Array{Buffer: make([]float32, n), Len: n, Type: t}, nil
}

// Put keeps numbers as they are.
func (p *paper) Put(a engine.Array, x []float32) { copy(a.Buffer.([]float32), x) }

// Get gives them back.
func (p *paper) Get(x []float32, a engine.Array) { copy(x, a.Buffer.([]float32)) }

// LoadWeight counts what a card would hold, which leaves some storages as they are.
func (p paperCard) LoadWeight(parts, bias []engine.Stored) (engine.Weight, error) {
	bytes := cuda.WeightBytes(p.kind, parts)
	if slices.ContainsFunc(bias, func(b engine.Stored) bool { return b != nil }) {
		for _, part := range parts {
			bytes += 4 * int64(part.Rows())
		}
	}
	return p.sheet(parts, bytes)
}

// WeightBytes is what a part takes.
func (p paperCard) WeightBytes(part engine.Stored) int64 {
	return cuda.WeightBytes(p.kind, []engine.Stored{part})
}

// UnpackBytes is what a product of many rows takes where the weight is packed.
func (p paperCard) UnpackBytes(weights ...engine.Weight) int64 {
	for _, w := range weights {
		if s := w.(sheet); s.bytes < s.plain {
			return cuda.UnpackBytes(len(weights), s.plain)
		}
	}
	return 0
}

func (p *paper) LoadVector(v engine.Stored) (engine.Array, error) {
	p.vectors += 4 * int64(v.Cols())
	return engine.Array{}, nil
}
