package engine

// Attention is how a layer computes its probabilities. Query i, at position p, with the keys
// k that its head reads:
//
//	s[j] = Scale · q[i]·k[j]
//	s[j] = Cap · tanh(s[j]/Cap)       where Cap > 0 (Gemma 2, arXiv 2408.00118, section 2)
//	s[j] = -∞                         where j > p, or Window > 0 and j ≤ p-Window
//	P[j] = exp(s[j]) / Σ exp(s)       over all j; where there are Sinks, exp(Sinks[h]) is one more summand
//
// A sink is a column of the softmax that no value belongs to (gpt-oss; Xiao et al., arXiv
// 2309.17453, section 3.3, with a learned score): its share is dropped, so that the row sums to less than 1.
type Attention struct {
	Heads  Heads
	Window int     // positions that a query sees, its own among them; 0 for all
	Scale  float32 // usually 1/√d
	Cap    float32 // 0 for none
	Sinks  Array   // Float32 (query heads), or empty
}
