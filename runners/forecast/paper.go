package forecast

import (
	"github.com/snapbench/snapbench/runners/cuda"
	"github.com/snapbench/snapbench/runners/cuda/card"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/models"
)

// paper is a card that is not there. It takes weights, counts their bytes, and says what a card says of memory; it computes
// nothing: an operation on it is a mistake of this package, and panics.
type paper struct {
	engine.Device // nil
	kind          engine.Type
	total         int64 // bytes
	held, vectors int64 // of weights, and of norms
}

var (
	_ models.Blocker   = (*paper)(nil)
	_ models.Packer    = (*paper)(nil)
	_ models.Mixer     = (*paper)(nil)
	_ engine.Companion = (*paper)(nil)
)

func (p *paper) Name() string             { return "cuda:0" }
func (p *paper) Type() engine.Type        { return p.kind }
func (p *paper) BlockTokens() int         { return cuda.BlockTokens }
func (p *paper) Companions() int          { return cuda.Companions(p.kind, true) }
func (p *paper) Takes(bytes int64) int64  { return card.Takes(bytes) }
func (p *paper) Sync() error              { return nil }
func (p *paper) FreeWeight(engine.Weight) {}
func (p *paper) Free(...engine.Array)     {}

// Memory is that of a card on which nothing but the weights is.
func (p *paper) Memory() engine.Memory {
	return engine.Memory{Total: p.total, Free: p.total - p.held - p.vectors, Weights: p.held, InUse: p.held + p.vectors}
}

// MixtureBytes is about what the rows that experts share out take: their inputs, and both products' results.
func (p *paper) MixtureBytes(tokens, width, ff, _, perToken int) int64 {
	return int64(tokens) * int64(perToken) * int64(2*width+3*ff) * int64(p.kind.Size())
}

// sheet is a weight on paper.
type sheet struct {
	rows, cols int
	bytes      int64
}

func (s sheet) Rows() int    { return s.rows }
func (s sheet) Cols() int    { return s.cols }
func (s sheet) Bytes() int64 { return s.bytes }

func (p *paper) LoadWeight(parts, _ []engine.Stored) (engine.Weight, error) {
	s := sheet{cols: parts[0].Cols()}
	for _, part := range parts {
		s.rows += part.Rows()
	}
	s.bytes = int64(s.rows) * int64(s.cols) * int64(p.kind.Size())
	p.held += s.bytes
	return s, nil
}

func (p *paper) LoadVector(v engine.Stored) (engine.Array, error) {
	p.vectors += 4 * int64(v.Cols())
	return engine.Array{}, nil
}
