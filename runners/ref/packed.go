package ref

import (
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/engine/cacheformat"
)

// Quantizes has every format: package cacheformat is the judge of those that are faster.
func (d *Device) Quantizes(f *cacheformat.Format, size int) error { return f.Fits(size) }

// Quantize encodes head by head.
func (d *Device) Quantize(c engine.Cache, f *cacheformat.Format, scales []cacheformat.Scale, room int) (engine.Cache, error) {
	out, keys, values, rows := c.Pack(f, scales, room)
	out.K, _ = d.New(engine.Uint8, keys)
	out.V, _ = d.New(engine.Uint8, values)
	if c.Positions.Len > 0 {
		out.Positions, _ = d.New(engine.Int32, rows)
	}
	for h, n := range c.Len {
		lo, hi := c.Start[h]*c.Size, (c.Start[h]+n)*c.Size
		k, v := bytes(out.K)[out.Packed.Keys[h]:], bytes(out.V)[out.Packed.Values[h]:]
		if err := f.Fill(k, v, floats(c.K)[lo:hi], floats(c.V)[lo:hi], c.Size, out.Packed.Scales[h]); err != nil {
			d.FreeCache(out)
			return engine.Cache{}, &engine.Refusal{Layer: -1, Head: h, Format: f.Name, Err: err}
		}
		if c.Positions.Len > 0 {
			copy(ints(out.Positions)[out.Start[h]:], ints(c.Positions)[c.Start[h]:c.Start[h]+n])
		}
	}
	return out, nil
}

// CacheRows decodes rows.
func (d *Device) CacheRows(keys, values []float32, c engine.Cache, h, lo, hi, settled int) {
	decodeRows(keys, values, c, h, lo, hi, settled)
}

// decodeRows decodes the rows of a head of which the first settled were there when it was
// settled last.
func decodeRows(keys, values []float32, c engine.Cache, h, lo, hi, settled int) {
	p := c.Packed
	p.Format.Keys(keys, bytes(c.K)[p.Keys[h]:], lo, hi, settled, c.Size, p.Scales[h])
	p.Format.Values(values, bytes(c.V)[p.Values[h]:], lo, hi, settled, c.Size, p.Scales[h])
}

// rows returns the keys and values of the first n rows of a head, the step's own included.
func (b *batch) rows(c engine.Cache, head, n int) (keys, values []float32) {
	if c.Packed == nil {
		from := c.Start[head] * c.Size
		return floats(c.K)[from:], floats(c.V)[from:]
	}
	keys, values = make([]float32, n*c.Size), make([]float32, n*c.Size)
	decodeRows(keys, values, c, head, 0, n, c.Len[head]+b.steps)
	return keys, values
}

// append encodes the step's entry of a head.
func (b *batch) append(row, layer, head int, key, value []float32) {
	c := b.sequences[row].Caches[layer]
	p := c.Packed
	err := p.Format.Append(bytes(c.K)[p.Keys[head]:], bytes(c.V)[p.Values[head]:], key, value, c.Len[head]+b.steps, p.Scales[head])
	b.refuse(row, layer, head, err)
}

// settle encodes what is due of residuals once a step is over.
func (b *batch) settle() {
	for i, s := range b.sequences {
		for layer, c := range s.Caches {
			p := c.Packed
			if p == nil || p.Format.Residual == 0 {
				continue
			}
			for h, n := range c.Len {
				err := p.Format.Settle(bytes(c.K)[p.Keys[h]:], bytes(c.V)[p.Values[h]:], n+b.steps, c.Size, p.Scales[h])
				b.refuse(i, layer, h, err)
			}
		}
	}
}

func (b *batch) refuse(row, layer, head int, err error) {
	if err != nil && b.refused[row] == nil {
		b.refused[row] = &engine.Refusal{Layer: layer, Head: head, Format: b.sequences[row].Caches[layer].Packed.Format.Name, Err: err}
	}
}

// Refused returns the rows' refusals.
func (d *Device) Refused(b engine.Batch) []error { return b.(*batch).refused }
