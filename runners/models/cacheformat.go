package models

import (
	"fmt"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/engine/cacheformat"
)

// formatOf returns the format of a variant's cache in one of the layers in which policies choose;
// nil for the device's own type. Layers that the format skips stay in 16 bits.
func (m *Model) formatOf(v compress.Variant, index int) *cacheformat.Format {
	f := v.Format()
	if f == nil {
		return nil
	}
	if at := m.Shape().Format(f, index); at != f {
		return m.fixedFormat(v)
	}
	if f.Name == "f16" && m.device.Type() == engine.Float16 || f.Name == "bf16" && m.device.Type() == engine.BFloat16 {
		return nil
	}
	return f
}

// fixedFormat is the format of layers that stay in 16 bits in a variant whose cache has a format:
// those with a sliding window beside layers of full attention, which see few positions in any case.
func (m *Model) fixedFormat(v compress.Variant) *cacheformat.Format {
	if v.Format() == nil || m.device.Type().Size() == 2 {
		return nil
	}
	return cacheformat.Half
}

// Shape is what decides how many bytes the caches take of the layers in which policies choose.
func (m *Model) Shape() compress.Shape {
	return compress.Shape{Layers: len(m.PolicyLayers()), Heads: m.Heads, Hybrid: m.Hybrid()}
}

// CheckFormat refuses a variant whose cache's format the device does not have.
func (m *Model) CheckFormat(v compress.Variant) error {
	for i := range m.PolicyLayers() {
		if f := m.formatOf(v, i); f != nil {
			if err := engine.Quantizes(m.device, f, m.Heads.Size); err != nil {
				return fmt.Errorf("%s: %w", v, err)
			}
		}
	}
	return nil
}

// magnitudes are the largest of a layer's keys and values by KV head.
type magnitudes struct{ keys, values []float32 }

// scales returns a format's calibrated scales by cache head, from the whole prompt's keys and
// values before anything is dropped. It looks at them in plain Go over copies.
func (g *filling) scales(f *cacheformat.Format, heads int) ([]cacheformat.Scale, error) {
	if f.Calibration == cacheformat.Uncalibrated {
		return nil, nil
	}
	if g.most == nil {
		held := make([]float32, g.kv.K.Len)
		g.most = &magnitudes{}
		for _, side := range []struct {
			to   *[]float32
			from engine.Array
		}{{&g.most.keys, g.kv.K}, {&g.most.values, g.kv.V}} {
			g.m.device.Get(held, side.from)
			if err := g.m.device.Sync(); err != nil {
				return nil, err
			}
			for h := range g.kv.Heads {
				*side.to = append(*side.to, cacheformat.Magnitude(held[h*len(held)/g.kv.Heads:(h+1)*len(held)/g.kv.Heads]))
			}
		}
	}
	byHead := f.Calibrate(g.most.keys, g.most.values)
	scales := make([]cacheformat.Scale, heads)
	for h := range scales {
		scales[h] = byHead[h/(heads/g.kv.Heads)]
	}
	return scales, nil
}

// formatBytes is at most what caches in a format take in a layer, codes with room and positions
// apart, of so many heads with so many rows together; more where they are of unequal length.
func formatBytes(f *cacheformat.Format, heads, rows, size int) (keys, values int64) {
	slotKeys, slotValues := f.Rooms(0, size)
	group, ends := int64(f.Key.Group()), int64(heads*(engine.RunAlign-1))
	return int64(heads*slotKeys) + int64(rows)*int64(f.Key.Bytes(size))/group + ends, int64(heads*slotValues) + int64(rows)*int64(f.Value.Bytes(size)) + ends
}
