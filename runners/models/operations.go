package models

import (
	"math"

	"github.com/snapbench/snapbench/runners/engine"
)

// PrefillOperations counts what reading n tokens takes, or part of it, a multiply
// and add as two: products with the weights, and causal attention. In the last
// layer only the last token goes on beyond its keys and values.
func (m *Model) PrefillOperations(n int, part Part) (products, attention float64) {
	qkv := float64(m.Width) * float64(m.QueryWidth()+2*m.KVWidth())
	rest := float64(m.QueryWidth())*float64(m.Width) + 3*float64(m.Width)*float64(m.FF)
	if m.Experts > 0 {
		rest = float64(m.QueryWidth())*float64(m.Width) + float64(m.PerToken)*3*float64(m.Width)*float64(m.FF) + float64(m.Width)*float64(m.Experts)
	}
	layers, tokens, first := float64(part.layers(m.Layers)), float64(n), float64(part.first(n, m.block))
	whole := layers // those in which all tokens go on
	if part.layers(m.Layers) == m.Layers {
		whole--
	}
	products = 2 * (tokens*layers*qkv + (tokens*whole+layers-whole)*rest + float64(m.Width)*float64(m.Vocab))
	attention = 2 * (tokens*(tokens+1) - first*(first+1)) * float64(m.QueryWidth()) * whole
	return products, attention
}

// IdleExpertBytes is how much of the weights a decoding step of so many rows leaves
// unread, since no row's token chose it: on average, the experts being equally likely,
// and exactly for one row. A dense model has none.
func (m *Model) IdleExpertBytes(rows int) int64 {
	var all int64
	for i := range m.layers {
		for _, w := range append(m.layers[i].experts.GateUp, m.layers[i].experts.Down...) {
			all += w.Bytes()
		}
	}
	if all == 0 {
		return 0
	}
	return int64(float64(all) * math.Pow(1-float64(m.PerToken)/float64(m.Experts), float64(rows)))
}

// LargestProduct returns the weight of a layer's largest product: gate and up
// projections, or the attention's where the feed-forward layers are a mixture.
func (m *Model) LargestProduct() engine.Weight {
	if m.Experts > 0 {
		return m.layers[0].qkv
	}
	return m.layers[0].gateUp
}
