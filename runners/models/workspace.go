package models

import (
	"fmt"

	"github.com/snapbench/snapbench/runners/engine"
)

// workspace owns the arrays of one forward pass and keeps the first error.
type workspace struct {
	m      *Model
	full   scratch
	block  int
	arrays []engine.Array
	err    error
}

// scratch holds the intermediate arrays of a block of m tokens.
type scratch struct {
	normed   engine.Array // (m, width)
	qkv      engine.Array // (m, queryWidth+2·kvWidth)
	q        engine.Array // (m, heads, d)
	attended engine.Array // (m, heads, d)
	gateUp   engine.Array // (m, 2·ff)
	gated    engine.Array // (m, ff)
	linearIn engine.Array // (m, in) of linear attention, empty in models without it
	mixed    engine.Array // (m, out) of linear attention
}

// widths are the widths of the arrays of scratch, in their order.
func (m *Model) widths() [8]int {
	w := [8]int{m.Width, m.QueryWidth() + 2*m.KVWidth(), m.QueryWidth(), m.QueryWidth(), 2 * m.FF, m.FF, m.Linear.shape().In(), m.Linear.shape().Out()}
	if m.SparseLayers(m.Layers) == m.Layers {
		w[4], w[5] = 0, 0 // the device has its own memory for these
	}
	return w
}

// SetBlock sets the tokens per prefill block, instead of the number that the device
// prefers. Larger blocks need more scratch memory; small ones leave a device idle.
func (m *Model) SetBlock(tokens int) {
	if tokens < 1 {
		panic(fmt.Sprintf("models: blocks of %d tokens", tokens))
	}
	m.block = tokens
}

// Block returns the number of tokens per prefill block.
func (m *Model) Block() int { return m.block }

func (m *Model) workspace(block int) *workspace {
	w := &workspace{m: m, block: block}
	t := m.device.Type()
	for i, a := range w.full.all() {
		*a = w.array(t, block*m.widths()[i])
	}
	return w
}

func (s *scratch) all() [8]*engine.Array {
	return [8]*engine.Array{&s.normed, &s.qkv, &s.q, &s.attended, &s.gateUp, &s.gated, &s.linearIn, &s.mixed}
}

// rows returns the scratch for a block of n tokens, at most as many as the full one has.
func (w *workspace) rows(n int) scratch {
	s := w.full
	for i, a := range s.all() {
		*a = a.Slice(0, n*w.m.widths()[i])
	}
	return s
}

func (w *workspace) array(t engine.Type, n int) engine.Array {
	if w.err != nil {
		return engine.Array{}
	}
	a, err := w.m.device.New(t, n)
	if err != nil {
		w.err = err
		return a
	}
	w.arrays = append(w.arrays, a)
	return a
}

func (w *workspace) free() { w.m.device.Free(w.arrays...) }
