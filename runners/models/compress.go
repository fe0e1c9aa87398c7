package models

import (
	"errors"
	"fmt"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/engine/cacheformat"
)

// compress lets the variants choose positions in a layer and gathers their caches.
func (m *Model) compress(chooser *compress.Chooser, p Prompt, result *Prefilled, l compress.Layer, s compress.Source) error {
	choice, err := chooser.Choose(s, l, p.Variants)
	if err != nil {
		return err
	}
	defer choice.Free()
	g := filling{m: m, kv: s.KV, kept: choice.Kept, room: p.Room}
	for i, k := range choice.Kept {
		result.Host[i], result.Edited[i] = result.Host[i] || k.Host, result.Edited[i] || k.Edit != nil
		g.formats = append(g.formats, m.formatOf(p.Variants[i], l.Index))
	}
	return g.both(result)
}

// filling gives each sequence a cache of the positions that are kept in a layer.
type filling struct {
	m       *Model
	kv      engine.KV
	kept    []compress.Kept       // by variant
	formats []*cacheformat.Format // by variant; nil for the device's own type
	room    int
	most    *magnitudes // once a format asks for them
}

// both fills the sequences of a prefill, and their twins.
func (g *filling) both(result *Prefilled) error {
	if err := g.into(result.Sequences); err != nil || len(result.Twins) == 0 {
		return err
	}
	return g.into(result.Twins)
}

// into appends the layer's caches: those of the device's own type are gathered together, those
// in a format one by one, so that little is held besides the codes.
func (g *filling) into(to []Sequence) error {
	var plain []engine.Kept
	var of []int
	for i, k := range g.kept {
		if g.formats[i] == nil {
			plain, of = append(plain, k.Kept), append(of, i)
		}
	}
	caches, err := g.m.device.Gather(g.kv, plain, g.room)
	if err != nil {
		return err
	}
	for j, c := range caches {
		to[of[j]].Caches = append(to[of[j]].Caches, c)
	}
	for j, c := range caches {
		if edit := g.kept[of[j]].Edit; edit != nil {
			if err := g.m.edit(c, edit); err != nil {
				return err
			}
		}
	}
	for i, k := range g.kept {
		if f := g.formats[i]; f != nil {
			c, err := g.quantized(k, f)
			var refused *engine.Refusal
			if errors.As(err, &refused) {
				return &compress.ChoiceError{Index: i, Err: err}
			}
			if err != nil {
				return err
			}
			to[i].Caches = append(to[i].Caches, c)
		}
	}
	return nil
}

// quantized gathers what is kept, in a format.
func (g *filling) quantized(k compress.Kept, f *cacheformat.Format) (engine.Cache, error) {
	d := g.m.device
	scales, err := g.scales(f, len(k.Len))
	if err != nil {
		return engine.Cache{}, err
	}
	if k.Edit == nil {
		return engine.GatherQuantized(d, g.kv, k.Kept, f, scales, g.room)
	}
	caches, err := d.Gather(g.kv, []engine.Kept{k.Kept}, 0)
	if err != nil {
		return engine.Cache{}, err
	}
	defer d.FreeCache(caches...)
	if err := g.m.edit(caches[0], k.Edit); err != nil {
		return engine.Cache{}, err
	}
	return d.(engine.Quantizer).Quantize(caches[0], f, scales, g.room)
}

// stored returns the first refusal of what was gathered in formats. Devices that gather and encode at once are asked here, for all layers together.
func (p *Prefilled) stored() error {
	for _, list := range [][]Sequence{p.Sequences, p.Twins} {
		for i, s := range list {
			for layer, err := range engine.Unstored(p.device, s.Caches...) {
				if err != nil {
					return fmt.Errorf("layer %d: %w", layer, &compress.ChoiceError{Index: i, Err: err})
				}
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
