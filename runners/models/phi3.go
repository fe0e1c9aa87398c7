package models

// Phi-3, Phi-3.5 (arXiv 2404.14219) and Phi-4-mini (arXiv 2503.01743): Llama whose q, k and v,
// and gate and up, are one tensor each, with longrope, and in Phi-4-mini a rotation of a part
// of each head. sliding_window counts in every layer. There are no biases, even if config.json
// says so. Phi-3-small and the mixtures are other architectures.
func init() {
	const qkv, gateUp = "model.layers.%d.self_attn.qkv_proj.weight", "model.layers.%d.mlp.gate_up_proj.weight"
	const ggufQKV, ggufGateUp = "blk.%d.attn_qkv.weight", "blk.%d.ffn_up.weight"
	Register(Family{
		Name: "phi3", Adapt: slideEverywhere, PartialRope: true, Defaults: func() RawConfig {
			return RawConfig{Epsilon: new(1e-5), Original: new(4096.0), OnlyLongrope: true}
		}, Fused: [][]Role{{Query, Key, Value}, {Gate, Up}},
		Tensors:      map[Role]string{Query: qkv, Key: qkv, Value: qkv, Gate: gateUp, Up: gateUp},
		Architecture: "phi3",
		GGUFTensors:  map[Role]string{Query: ggufQKV, Key: ggufQKV, Value: ggufQKV, Gate: ggufGateUp, Up: ggufGateUp},
	})
}
