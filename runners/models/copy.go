package models

import (
	"slices"

	"github.com/snapbench/snapbench/runners/engine"
)

// Copy returns a copy of a sequence with caches of its own, which the caller must free.
// After an error no memory is held.
func (m *Model) Copy(s Sequence) (_ Sequence, err error) {
	d := m.device
	out := s
	out.Caches, out.mirror = nil, nil
	defer func() {
		if err != nil {
			d.FreeCache(out.Caches...)
		}
	}()
	for _, from := range s.Caches {
		c := engine.Cache{Start: slices.Clone(from.Start), Len: slices.Clone(from.Len), Room: from.Room, Size: from.Size, Packed: from.Packed}
		out.Caches = append(out.Caches, c)
		to := &out.Caches[len(out.Caches)-1]
		for _, a := range []struct{ to, from *engine.Array }{{&to.K, &from.K}, {&to.V, &from.V}, {&to.Positions, &from.Positions},
			{&to.State.S, &from.State.S}, {&to.State.Conv, &from.State.Conv}} {
			if a.from.Len == 0 {
				continue
			}
			if *a.to, err = d.New(a.from.Type, a.from.Len); err != nil {
				return Sequence{}, err
			}
			d.Copy(*a.to, *a.from)
		}
	}
	return out, nil
}
