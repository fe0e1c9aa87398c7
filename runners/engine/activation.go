package engine

import "fmt"

// Activation is how a feed-forward layer joins its gate g and its up-projection u, number by number. The zero Activation is
// SwiGLU.
type Activation struct {
	Kind         ActivationKind
	Alpha, Limit float32 // of ClampedSwiGLU
}

// ActivationKind is a formula of [Activation].
type ActivationKind uint8

// The formulas, σ being the logistic function.
const (
	// SwiGLU: g·σ(g)·u (arXiv 2002.05202, section 2).
	SwiGLU ActivationKind = iota
	// TanhGEGLU: g/2·(1+tanh(√(2/π)·(g+0.044715·g³)))·u, the same with GELU by its approximation (arXiv 1606.08415, section 2).
	// Half of one and a tanh is a σ of twice the argument: g·σ(√(8/π)·(g+0.044715·g³))·u.
	TanhGEGLU
	// ClampedSwiGLU: g'·σ(Alpha·g')·(u'+1) with g' = min(g, Limit), u' = min(max(u, -Limit), Limit) (gpt-oss).
	ClampedSwiGLU
)

// TanhGEGLU's argument of σ is g·(GEGLULinear + GEGLUCubic·g²).
const (
	GEGLULinear = 1.5957691216057308 // √(8/π)
	GEGLUCubic  = 0.044715 * GEGLULinear
)

func (k ActivationKind) String() string {
	switch k {
	case SwiGLU:
		return "swiglu"
	case TanhGEGLU:
		return "geglu with tanh"
	case ClampedSwiGLU:
		return "clamped swiglu"
	}
	return fmt.Sprintf("ActivationKind(%d)", uint8(k))
}
