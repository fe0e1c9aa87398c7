package models

// Llama 2, 3, 3.1 (arXiv 2302.13971, 2307.09288, 2407.21783), LongChat (linear
// scaling) and LWM (a large theta), SmolLM2.
func init() { Register(Family{Name: "llama"}) }
