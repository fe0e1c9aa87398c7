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

// rotate returns the rotations of all positions below n.
func (m *Model) rotate(n int) (r rotaries, err error) {
	if r.full, err = m.rotary(false, n); err != nil {
		return r, err
	}
	r.sliding, err = m.rotary(true, n)
	return r, err
}

// rotary returns one of them. One that is too short stays until the model is closed:
// decoders may still use it.
func (m *Model) rotary(sliding bool, n int) (engine.Rotary, error) {
	rope := m.Rope
	if sliding = sliding && m.SlidingRope != nil; sliding {
		rope = *m.SlidingRope
	}
	old := m.rotaries[sliding]
	if old != nil && old.Positions() >= n {
		return old, nil
	}
	n = (n + 1023) / 1024 * 1024 // so that prompts of similar lengths share it
	if old != nil {
		n = max(n, 2*old.Positions()) // so that those outgrown are few, and together no longer than this one
	}
	r, err := m.device.NewRotary(engine.Rotation{Frequencies: rope.Frequencies(m.Heads.Size), Scale: 1}, n)
	if err != nil {
		return nil, err
	}
	if old != nil {
		m.outgrown = append(m.outgrown, old)
	}
	if m.rotaries == nil {
		m.rotaries = map[bool]engine.Rotary{}
	}
	m.rotaries[sliding] = r
	return r, nil
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
