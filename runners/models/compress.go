package models

import (
	"fmt"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners/engine"
)

// compress lets the variants choose positions in a layer and gathers their caches.
func (m *Model) compress(chooser *compress.Chooser, p Prompt, result *Prefilled, l compress.Layer, s compress.Source) error {
	choice, err := chooser.Choose(s, l, p.Variants)
	if err != nil {
		return fmt.Errorf("layer %d: %w", l.Index, err)
	}
	defer choice.Free()
	for i, k := range choice.Kept {
		result.Host[i] = result.Host[i] || k.Host
	}
	if err := m.gather(result.Sequences, choice, s.KV, p.Room); err != nil {
		return fmt.Errorf("layer %d: %w", l.Index, err)
	}
	if p.Twins {
		if err := m.gather(result.Twins, choice, s.KV, p.Room); err != nil {
			return fmt.Errorf("layer %d: %w", l.Index, err)
		}
	}
	return nil
}

// gather gives each sequence a cache of the positions that its variant chose.
func (m *Model) gather(to []Sequence, choice *compress.Choice, kv engine.KV, room int) error {
	caches, err := m.device.Gather(kv, choice.Caches(), room)
	if err != nil {
		return err
	}
	for i, c := range caches {
		to[i].Caches = append(to[i].Caches, c)
	}
	for i, k := range choice.Kept {
		if k.Edit != nil {
			if err := m.edit(caches[i], k.Edit); err != nil {
				return err
			}
		}
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
