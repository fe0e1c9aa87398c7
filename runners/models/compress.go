package models

import (
	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners/engine"
)

// compress lets the variants choose positions in a layer and gathers their caches.
func (m *Model) compress(chooser *compress.Chooser, p Prompt, result *Prefilled, l compress.Layer, s compress.Source) error {
	choice, err := chooser.Choose(s, l, p.Variants)
	if err != nil {
		return err
	}
	defer choice.Free()
	for i, k := range choice.Kept {
		result.Host[i] = result.Host[i] || k.Host
	}
	for _, to := range [][]Sequence{result.Sequences, result.Twins} {
		if err := m.gather(to, choice.Caches(), s.KV, p.Room); err != nil {
			return err
		}
		for i := range to {
			if edit := choice.Kept[i].Edit; edit != nil {
				if err := m.edit(to[i].Caches[len(to[i].Caches)-1], edit); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// gather gives each sequence a cache of the positions kept in a layer.
func (m *Model) gather(to []Sequence, kept []engine.Kept, kv engine.KV, room int) error {
	if len(to) == 0 {
		return nil
	}
	caches, err := m.device.Gather(kv, kept, room)
	if err != nil {
		return err
	}
	for i, c := range caches {
		to[i].Caches = append(to[i].Caches, c)
	}
	return nil
}

// edit changes a cache's keys in plain Go, on copies of them.
func (m *Model) edit(c engine.Cache, change func(head int, keys []float32, positions []int32)) error {
	for h, length := range c.Len {
		lo, hi := c.Start[h], c.Start[h]+length
		rows := c.K.Slice(lo*c.Size, hi*c.Size)
		keys, positions := make([]float32, rows.Len), make([]int32, length)
		m.device.Get(keys, rows)
		if c.Positions.Len > 0 {
			m.device.GetInts(positions, c.Positions.Slice(lo, hi))
		} else {
			for i := range positions {
				positions[i] = int32(i)
			}
		}
		if err := m.device.Sync(); err != nil {
			return err
		}
		change(h, keys, positions)
		m.device.Put(rows, keys)
	}
	return m.device.Sync()
}
