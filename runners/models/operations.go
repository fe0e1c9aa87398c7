package models

import (
	"math"

	"github.com/snapbench/snapbench/runners/engine"
)

// PrefillOperations counts the operations of a prefill of n tokens, or of a part of
// it: products with the weights, and causal attention within each layer's window. A multiplication with an
// addition counts as two. In the last layer only the last token is computed beyond
// its keys and values.
func (m *Model) PrefillOperations(n int, part Part) (products, attention float64) {
	qkv := float64(m.Width) * float64(m.QueryWidth()+2*m.KVWidth())
	output := float64(m.QueryWidth()) * float64(m.Width)
	if m.OutGate {
		output *= 2
	}
	dense := output + 3*float64(m.Width)*float64(m.FF)
	sparse := output + float64(m.PerToken)*3*float64(m.Width)*float64(m.ExpertFF) + float64(m.Width)*float64(m.Experts)
	layers, tokens, first := float64(part.layers(m.Layers)), float64(n), part.first(n, m.block)
	whole := layers // those that compute all tokens
	if part.layers(m.Layers) == m.Layers {
		whole--
	}
	products = tokens*layers*qkv + float64(m.Width)*float64(m.Vocab)
	for i := range int(layers) {
		if m.Linear.Has(i) {
			// Of the state each token reads all, and changes all: three products of keys and values.
			l := m.Linear.shape()
			products += tokens * (float64(m.Width)*float64(l.In()+l.Out()) - qkv + 3*float64(m.Width)*float64(m.FF))
			attention += 6 * tokens * float64(l.ValueHeads*l.KeySize*l.ValueSize)
			continue
		}
		rows, rest := tokens, dense
		if float64(i) >= whole {
			rows = 1
		} else {
			attention += 4 * (pairs(n, m.Windows[i]) - pairs(first, m.Windows[i])) * float64(m.QueryWidth())
		}
		if m.Sparse(i) {
			rest = sparse
		}
		products += rows * rest
	}
	return 2 * products, attention
}

// pairs counts the keys that n queries see, each its own and those before it, within a window where there is one.
func pairs(n, window int) float64 {
	if window == 0 || window > n {
		window = n
	}
	w := float64(window)
	return w*(w+1)/2 + float64(n-window)*w
}

// IdleExpertBytes is the number of bytes of experts that no row of a decoding step
// chooses and that are therefore not read. For one row it is exact; for more it is the
// mean if all experts are equally likely. For a dense model it is 0.
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

// IdleTableBytes is the number of bytes of the input table, of which a decoding step reads only its tokens' rows. It is 0 where
// the output product reads the whole of it.
func (m *Model) IdleTableBytes() int64 {
	if m.Tied {
		return 0
	}
	return m.embedding.Bytes()
}

// LargestProduct returns the weight of a layer's largest product: the gate and up
// projections, or q, k and v in a mixture of experts.
func (m *Model) LargestProduct() engine.Weight {
	for i := range m.layers {
		if !m.Sparse(i) {
			return m.layers[i].gateUp
		}
	}
	return m.layers[0].qkv
}
