package models

import "github.com/snapbench/snapbench/runners/engine"

// PrefillOperations counts what reading n tokens takes, a multiply and add as
// two: products with the weights, and causal attention. In the last layer only
// the last token goes on beyond its keys and values.
func (m *Model) PrefillOperations(n int) (products, attention float64) {
	qkv := float64(m.Width) * float64(m.QueryWidth()+2*m.KVWidth())
	rest := float64(m.QueryWidth())*float64(m.Width) + 3*float64(m.Width)*float64(m.FF)
	if m.Experts > 0 {
		rest = float64(m.QueryWidth())*float64(m.Width) + float64(m.PerToken)*3*float64(m.Width)*float64(m.FF) + float64(m.Width)*float64(m.Experts)
	}
	layers, tokens := float64(m.Layers), float64(n)
	products = 2 * (tokens*layers*qkv + (tokens*(layers-1)+1)*rest + float64(m.Width)*float64(m.Vocab))
	attention = 2 * tokens * (tokens + 1) * float64(m.QueryWidth()) * (layers - 1)
	return products, attention
}

// LargestProduct returns the weight of a layer's largest product: gate and up
// projections, or the attention's where the feed-forward layers are a mixture.
func (m *Model) LargestProduct() engine.Weight {
	if m.Experts > 0 {
		return m.layers[0].qkv
	}
	return m.layers[0].gateUp
}
