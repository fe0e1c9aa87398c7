package models

import (
	"fmt"

	"github.com/snapbench/snapbench/runners/engine"
)

// Mixture describes the layers whose feed-forward part is a mixture of experts.
type Mixture struct {
	Experts     int // of a layer; 0: every layer is dense
	PerToken    int // experts of a token
	ExpertFF    int // feed-forward size of an expert
	Shares      engine.Shares
	RouterBias  bool
	ExpertsBias bool   // experts' products have biases
	Dense       []bool // per layer: dense in spite of Experts; nil: none is
}

// Sparse says whether a layer's feed-forward part is a mixture of experts.
func (m Mixture) Sparse(layer int) bool { return m.Experts > 0 && (m.Dense == nil || !m.Dense[layer]) }

// SparseLayers counts those of a model's layers.
func (m Mixture) SparseLayers(layers int) (n int) {
	for i := range layers {
		if m.Sparse(i) {
			n++
		}
	}
	return n
}

func (m Mixture) check(layers int) error {
	if m.Experts < 0 || m.Experts > 1<<10 || m.Experts > 0 && (m.PerToken < 1 || m.PerToken > m.Experts) {
		return fmt.Errorf("%d experts with %d per token", m.Experts, m.PerToken)
	}
	if m.Experts > 0 && (m.ExpertFF < 1 || m.ExpertFF > 1<<30) {
		return fmt.Errorf("the experts' feed-forward size is %d", m.ExpertFF)
	}
	if m.Dense != nil && len(m.Dense) != layers {
		return fmt.Errorf("%d layers are said to be dense or not, of %d", len(m.Dense), layers)
	}
	return nil
}

// parameters counts the numbers of a layer's mixture.
func (m Mixture) parameters(width int) int64 {
	n := 3*int64(width)*int64(m.ExpertFF) + int64(width) // with the expert's row of the router
	if m.RouterBias {
		n++
	}
	if m.ExpertsBias {
		n += 2*int64(m.ExpertFF) + int64(width)
	}
	return int64(m.Experts) * n
}
