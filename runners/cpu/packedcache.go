package cpu

import (
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/engine/cacheformat"
)

// Quantizes has every format: codes are made in plain Go, and read by kernels, or in plain Go where these have no decoder.
func (d *Device) Quantizes(f *cacheformat.Format, size int) error { return f.Fits(size) }

// Quantize encodes the heads, each on a thread.
func (d *Device) Quantize(c engine.Cache, f *cacheformat.Format, scales []cacheformat.Scale, room int) (out engine.Cache, err error) {
	const op = "quantize"
	out, keys, values, rows := c.Pack(f, scales, room)
	if d.err != nil {
		return out, nil
	}
	for _, a := range []struct {
		to *engine.Array
		t  engine.Type
		n  int
	}{{&out.K, engine.Uint8, keys}, {&out.V, engine.Uint8, values}, {&out.Positions, engine.Int32, rows}} {
		if a.t == engine.Int32 && c.Positions.Len == 0 {
			continue
		}
		if *a.to, err = d.New(a.t, a.n); err != nil {
			d.FreeCache(out)
			return engine.Cache{}, err
		}
	}
	refused := make([]error, len(c.Len))
	d.pool.run(len(c.Len), func(h, _ int) {
		n := c.Len[h]
		lo, hi := c.Start[h]*c.Size, (c.Start[h]+n)*c.Size
		k, v := packedHead(op, out, h)
		refused[h] = f.Fill(k, v, f32(op, c.K)[lo:hi], f32(op, c.V)[lo:hi], c.Size, out.Packed.Scales[h])
		if c.Positions.Len > 0 {
			copy(i32(op, out.Positions)[out.Start[h]:], i32(op, c.Positions)[c.Start[h]:c.Start[h]+n])
		}
	})
	for h, err := range refused {
		if err != nil {
			d.FreeCache(out)
			return engine.Cache{}, &engine.Refusal{Layer: -1, Head: h, Format: f.Name, Err: err}
		}
	}
	return out, nil
}

// packedHead returns a head's runs of bytes and what is behind them.
func packedHead(op string, c engine.Cache, h int) (keys, values []byte) {
	return u8(op, c.K)[c.Packed.Keys[h]:], u8(op, c.V)[c.Packed.Values[h]:]
}

// CacheRows decodes rows to the host.
func (d *Device) CacheRows(keys, values []float32, c engine.Cache, h, lo, hi, settled int) {
	if d.err == nil {
		d.decodeKeys("cache rows", keys, c, h, lo, hi, settled)
		d.decodeValues("cache rows", values, c, h, lo, hi, settled)
	}
}

// decodeKeys decodes the keys lo…hi of a head of which the first settled were there when it was settled last.
func (d *Device) decodeKeys(op string, dst []float32, c engine.Cache, h, lo, hi, settled int) {
	codes := u8(op, c.K)[c.Packed.Keys[h]:]
	if f := c.Packed.Format; !d.decode(dst, codes, f, f.Key, c.Size, lo, hi) {
		d.k.decoding(f, c.Size).Keys(dst, codes, lo, hi, settled, c.Size, c.Packed.Scales[h])
	}
}

// decodeValues is decodeKeys for values.
func (d *Device) decodeValues(op string, dst []float32, c engine.Cache, h, lo, hi, settled int) {
	codes := u8(op, c.V)[c.Packed.Values[h]:]
	if f := c.Packed.Format; !d.decode(dst, codes, f, f.Value, c.Size, lo, hi) {
		d.k.decoding(f, c.Size).Values(dst, codes, lo, hi, settled, c.Size, c.Packed.Scales[h])
	}
}

// decode decodes the rows lo…hi where the kernels have the format, or returns false. In such a format a row is as long as
// its numbers say, and behind it is the next.
func (d *Device) decode(dst []float32, codes []byte, f *cacheformat.Format, by cacheformat.Codec, size, lo, hi int) bool {
	kernel := d.k.decode[f.Name]
	if kernel == nil || size%32 != 0 || lo >= hi {
		return false
	}
	bytes := by.Bytes(size)
	codes, dst = codes[lo*bytes:hi*bytes], dst[:(hi-lo)*size]
	kernel(len(dst), &codes[0], &dst[0])
	return true
}

// decodeFunc decodes a group of vectors of size numbers, as cacheformat.Codec's Decode does.
type decodeFunc = func(dst []float32, src []byte, size int, scale float32)

// decoded is a codec whose groups kernels decode.
type decoded struct {
	cacheformat.Codec
	decode decodeFunc
}

func (c decoded) Decode(dst []float32, src []byte, size int, scale float32) {
	c.decode(dst, src, size, scale)
}

// decodedBy returns formats whose codecs are decoded by functions, first keys', then values'.
func decodedBy(decoders map[string][2]decodeFunc) map[string]*cacheformat.Format {
	formats := map[string]*cacheformat.Format{}
	for name, by := range decoders {
		f, err := cacheformat.Get(name)
		if err != nil {
			panic(err)
		}
		own := *f
		own.Key, own.Value = decoded{f.Key, by[0]}, decoded{f.Value, by[1]}
		formats[name] = &own
	}
	return formats
}

// decoding returns the format with which caches of f are decoded: one whose codecs are the kernels', where there are any.
func (k *kernels) decoding(f *cacheformat.Format, size int) *cacheformat.Format {
	if own := k.formats[f.Name]; own != nil && size%32 == 0 {
		return own
	}
	return f
}

// append encodes the step's entry of a head of a row.
func (b *batch) append(op string, row, layer, head int, key, value []float32) {
	c := b.sequences[row].Caches[layer]
	k, v := packedHead(op, c, head)
	b.refuse(row, layer, head, c.Packed.Format.Append(k, v, key, value, c.Len[head]+b.steps, c.Packed.Scales[head]))
}

// settle encodes what is due of residuals once a step is over.
func (d *Device) settle(b *batch) {
	if !b.residuals {
		return
	}
	d.pool.run(len(b.sequences), func(i, _ int) {
		for layer, c := range b.sequences[i].Caches {
			if c.Packed == nil || c.Packed.Format.Residual == 0 {
				continue
			}
			for h, n := range c.Len {
				k, v := packedHead("advance", c, h)
				b.refuse(i, layer, h, c.Packed.Format.Settle(k, v, n+b.steps, c.Size, c.Packed.Scales[h]))
			}
		}
	})
}

// refuse keeps a row's first refusal. Each row's are told by one thread.
func (b *batch) refuse(row, layer, head int, err error) {
	if err != nil && b.refused[row] == nil {
		b.refused[row] = &engine.Refusal{Layer: layer, Head: head, Format: b.sequences[row].Caches[layer].Packed.Format.Name, Err: err}
	}
}

// Refused returns the rows' refusals.
func (d *Device) Refused(b engine.Batch) []error { return ownBatch("refused", b).refused }
