package models

import "github.com/snapbench/snapbench/runners/engine"

// rotaries are the rotations of a pass over the model, by kind of layer.
type rotaries struct{ full, sliding engine.Rotary }

// of is the rotation of a layer.
func (r rotaries) of(y *layer) engine.Rotary {
	if y.attention.Window > 0 {
		return r.sliding
	}
	return r.full
}

// turning is what a rotary is made for: full layers or sliding ones with a rotation of their
// own; and where the rotation has two lists of frequencies, prompts of the first or of the
// second, or tokens that are read one by one.
type turning struct {
	sliding bool
	list    int
}

// rotateWhole returns the rotations of a prompt of n tokens, read as one.
func (m *Model) rotateWhole(n int) (rotaries, error) {
	return m.rotate(n, func(r Rope) (Rope, int) {
		switch from := r.changes(); {
		case from == 0:
			return r, 0
		case n > from:
			return r.For(n), 2
		default:
			return r.For(n), 1
		}
	})
}

// rotateTokens returns the rotations of tokens at positions below n, each read by itself.
func (m *Model) rotateTokens(n int) (rotaries, error) {
	return m.rotate(n, func(r Rope) (Rope, int) { return r, 0 })
}

func (m *Model) rotate(n int, of func(Rope) (Rope, int)) (r rotaries, err error) {
	rope, list := of(m.Rope)
	if r.full, err = m.rotary(turning{false, list}, rope, n); err != nil || m.SlidingRope == nil {
		r.sliding = r.full
		return r, err
	}
	rope, list = of(*m.SlidingRope)
	r.sliding, err = m.rotary(turning{true, list}, rope, n)
	return r, err
}

// rotary returns the rotary of positions below n. One that is too short stays until the model
// is closed: decoders may still use it.
func (m *Model) rotary(of turning, r Rope, n int) (engine.Rotary, error) {
	old := m.rotaries[of]
	if old != nil && old.Positions() >= n {
		return old, nil
	}
	n = (n + 1023) / 1024 * 1024 // so that prompts of similar lengths share it
	if old != nil {
		n = max(n, 2*old.Positions()) // so that those outgrown are few, and together no longer than this one
	}
	made, err := m.device.NewRotary(r.Rotation(m.Heads.Size), n)
	if err != nil {
		return nil, err
	}
	if old != nil {
		m.outgrown = append(m.outgrown, old)
	}
	if m.rotaries == nil {
		m.rotaries = map[turning]engine.Rotary{}
	}
	m.rotaries[of] = made
	return made, nil
}

func (m *Model) freeRotaries() {
	for _, r := range m.rotaries {
		m.device.FreeRotary(r)
	}
	for _, r := range m.outgrown {
		m.device.FreeRotary(r)
	}
	m.rotaries, m.outgrown = nil, nil
}
