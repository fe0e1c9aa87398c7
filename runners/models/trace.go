package models

import "github.com/snapbench/snapbench/runners/engine"

// Trace is what a prefill shows of its work, block of m tokens by block: each function
// that is not nil is called with arrays that the work goes on with, whose content counts
// until the function returns. start is the number of the block's first token.
type Trace struct {
	// Hidden gets what a layer reads (m, width), and with layer = layers what the last one
	// leaves, of the tokens that it computes. Its error ends the prefill.
	Hidden func(layer, start int, x engine.Array) error
	// Queries gets a layer's rotated queries (m, heads, d).
	Queries func(layer, start int, q engine.Array)
	// KV gets the keys and values of the whole prompt, of each layer that has them.
	KV func(layer int, kv engine.KV)
	// Logits gets the output's norm (m, width) and the logits (m, vocab). Where it is set
	// the last layer computes all tokens; otherwise it computes the last one alone.
	Logits func(start int, normed, logits engine.Array)
}

func (t Trace) hidden(layer, start int, x engine.Array) error {
	if t.Hidden == nil {
		return nil
	}
	return t.Hidden(layer, start, x)
}

func (t Trace) queries(layer, start int, q engine.Array) {
	if t.Queries != nil {
		t.Queries(layer, start, q)
	}
}

func (t Trace) kv(layer int, kv engine.KV) {
	if t.KV != nil {
		t.KV(layer, kv)
	}
}

// showLogits computes and shows the logits of all tokens.
func (m *Model) showLogits(t Trace, w *workspace, hidden engine.Array) error {
	n := hidden.Len / m.Width
	for start := 0; start < n; start += m.block {
		rows := min(m.block, n-start)
		normed := w.rows(rows).normed
		m.device.RMSNorm(normed, hidden.Slice(start*m.Width, (start+rows)*m.Width), m.norm, m.Epsilon)
		logits, err := m.device.New(engine.Float32, rows*m.Vocab)
		if err != nil {
			return err
		}
		m.logits(logits, normed)
		t.Logits(start, normed, logits)
		m.device.Free(logits)
	}
	return nil
}
