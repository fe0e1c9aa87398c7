package engine

// LinearAttention is a gated delta net (arXiv 2412.06464), as Qwen3.5 has it in most layers: what earlier tokens left is a
// state of fixed size in place of keys and values.
//
// A token's row of channels u first passes a causal convolution of each channel by itself and silu. Of the result, key heads
// have q and k, value heads v; q and k are divided by √(Σx²+1e-6), q by √KeySize too, and each key head serves
// ValueHeads/KeyHeads value heads, one behind the other. With β = σ(b) and g = exp(-exp(Decay)·softplus(a + Bias)) a value
// head's state S, (KeySize, ValueSize), becomes
//
//	S ← g·S; S ← S + k ⊗ β(v − Sᵀk)
//
// and its output is the RMS norm of Sᵀq, times silu(z).
type LinearAttention struct {
	KeyHeads, ValueHeads int // KeyHeads divides ValueHeads
	KeySize, ValueSize   int
	Kernel               int   // tokens that the convolution sees, at least 2
	Conv                 Array // Float32 (Channels, Kernel), the newest token last
	Decay, Bias          Array // Float32 (ValueHeads)
	Norm                 Array // Float32 (ValueSize)
	Epsilon              float32
}

// Channels is the width of q, k and v of all heads together.
func (l LinearAttention) Channels() int { return 2*l.KeyHeads*l.KeySize + l.Out() }

// Out is the width of all value heads together.
func (l LinearAttention) Out() int { return l.ValueHeads * l.ValueSize }

// In is the width of a token's input: the channels q, k and v, then z (ValueHeads, ValueSize), b and a (ValueHeads each).
func (l LinearAttention) In() int { return l.Channels() + l.Out() + 2*l.ValueHeads }

// StateLen is how many numbers a state has: those of S, and those of the convolution.
func (l LinearAttention) StateLen() (s, conv int) {
	return l.ValueHeads * l.KeySize * l.ValueSize, (l.Kernel - 1) * l.Channels()
}

// State is what one sequence keeps in one layer with linear attention. It cannot be taken back to an earlier token.
type State struct {
	S    Array // Float32 (ValueHeads, KeySize, ValueSize)
	Conv Array // Float32 (Kernel-1, Channels): the last inputs of the convolution, the newest last
}

// Bytes returns what the state occupies.
func (s State) Bytes() int64 { return s.S.Bytes() + s.Conv.Bytes() }

// LinearAttender is a device that has linear attention, and the gate on the output of full attention that comes with it.
type LinearAttender interface {
	// LinearAttention reads a block of tokens, in (m, In), behind those that made s, which becomes the state behind them;
	// out (m, Out). All zeros are the state before the first token.
	LinearAttention(out, in Array, s State, by LinearAttention)
	// AttendStates is LinearAttention of one token of each of a batch's sequences, behind those that made the states of
	// the layer's caches: in (rows, In), out (rows, Out), with the bits that each row has alone and by LinearAttention.
	AttendStates(out, in Array, b Batch, layer int, by LinearAttention)
	// GateOutput multiplies x by σ(gate), number by number.
	GateOutput(x, gate Array)
}
