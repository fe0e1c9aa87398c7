package cuda

import (
	"fmt"

	"github.com/snapbench/snapbench/runners/cuda/card"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/engine/cacheformat"
)

var (
	_ engine.Quantizer       = (*Device)(nil)
	_ engine.GatherQuantizer = (*Device)(nil)
)

// packScales are a head's calibrated scales, 1 where there are none.
type packScales struct{ key, value float32 }

func scalesOf(p *engine.Packed, head int) packScales {
	if p.Format.Calibration == cacheformat.Uncalibrated {
		return packScales{1, 1}
	}
	return packScales{p.Scales[head].Key, p.Scales[head].Value}
}

// packSource is Source of kernels/quantize.cu.
type packSource struct {
	k, v, toK, toV, positions, toPositions uint64
	rows, _                                int32
	scales                                 packScales
	spec                                   packSpec
}

// Quantize encodes all heads of a cache.
func (d *Device) Quantize(c engine.Cache, f *cacheformat.Format, scales []cacheformat.Scale, room int) (engine.Cache, error) {
	k, v := d.pointer("Quantize", c.K, d.kind), d.pointer("Quantize", c.V, d.kind)
	positions := d.pointer("Quantize", c.Positions, engine.Int32)
	return d.quantize("Quantize", c, f, scales, room, positions != 0, func(h int) (s packSource) {
		at := uint64(c.Start[h]*c.Size) * uint64(d.kind.Size())
		return packSource{k: k + at, v: v + at, positions: positions + 4*uint64(c.Start[h])}
	})
}

// GatherQuantized encodes what is kept where it lies among the prompt's keys and values.
func (d *Device) GatherQuantized(kv engine.KV, kept engine.Kept, f *cacheformat.Format, scales []cacheformat.Scale, room int) (engine.Cache, error) {
	const op = "GatherQuantized"
	heads := len(kept.Len)
	d.checkKV(op, kv, engine.Heads{Query: kv.Heads, KV: kv.Heads, Size: kv.Size})
	if heads == 0 || heads%kv.Heads != 0 {
		panic(fmt.Sprintf("cuda: %s: %d cache heads over %d", op, heads, kv.Heads))
	}
	taken, first := 0, make([]int, heads)
	for a, n := range kept.Len {
		if n < 0 || n > kv.Tokens || kept.All && n != kv.Tokens {
			panic(fmt.Sprintf("cuda: %s: head %d keeps %d of %d rows", op, a, n, kv.Tokens))
		}
		first[a], taken = taken, taken+n
	}
	if !kept.All {
		same(op, "positions", kept.Positions.Len, taken)
	}
	k, v, positions := d.pointer(op, kv.K, d.kind), d.pointer(op, kv.V, d.kind), d.pointer(op, kept.Positions, engine.Int32)
	return d.quantize(op, engine.Cache{Len: kept.Len, Size: kv.Size}, f, scales, room, !kept.All, func(h int) packSource {
		at := uint64(h/(heads/kv.Heads)*kv.Tokens*kv.Size) * uint64(d.kind.Size())
		return packSource{k: k + at, v: v + at, positions: positions + 4*uint64(first[h])}
	})
}

// quantize makes a cache in a format with heads of the lengths of c. from tells where a head's keys and
// values are, and its positions where there are any: in a cache those of its rows, else the rows.
func (d *Device) quantize(op string, c engine.Cache, f *cacheformat.Format, scales []cacheformat.Scale, room int, chosen bool, from func(head int) packSource) (engine.Cache, error) {
	out, keys, values, rows := c.Pack(f, scales, room)
	fail := func(err error) (engine.Cache, error) {
		d.FreeCache(out)
		return engine.Cache{}, err
	}
	var err error
	if out.K, err = d.New(engine.Uint8, keys); err != nil {
		return fail(err)
	}
	if out.V, err = d.New(engine.Uint8, values); err != nil {
		return fail(err)
	}
	if chosen {
		if out.Positions, err = d.New(engine.Int32, rows); err != nil {
			return fail(err)
		}
	}
	toK, toV, toPositions := d.pointer(op, out.K, engine.Uint8), d.pointer(op, out.V, engine.Uint8), d.pointer(op, out.Positions, engine.Int32)
	gathered := op != "Quantize" // else the rows of a cache are its own, and positions are copied
	var heads []packSource
	most, wide := 0, c.Size%8 == 0 && (packedFormats[f.Name][1] != 10 || f.Value.Bytes(c.Size)%4 == 0) // TurboQuant's values in heads of 8 may have a byte behind them
	for h, n := range out.Len {
		s := from(h)
		s.toK, s.toV, s.rows, s.scales, s.spec = toK+uint64(out.Packed.Keys[h]), toV+uint64(out.Packed.Values[h]), int32(n), scalesOf(out.Packed, h), specOf(f, c.Size)
		s.toPositions = toPositions + 4*uint64(out.Start[h])
		if !chosen || !gathered {
			s.positions, s.toPositions = 0, 0
		}
		heads, most, wide = append(heads, s), max(most, n), wide && aligned(0, s.k, s.v)
	}
	ok := d.card.Enter(op)
	defer d.card.Leave()
	if !ok || most == 0 {
		return out, nil
	}
	d.card.HostNeeded(op)
	table, done, ok := card.Table(d.card, heads)
	defer done()
	if !ok {
		return out, nil
	}
	var flags uint64
	if gathered {
		if flags, err = d.unstored.take(d, out); err != nil {
			return fail(err)
		}
	} else {
		scratch, give, ok := d.card.Scratch(4 * int64(len(heads)))
		defer give()
		if !ok || !d.card.Clear(scratch, 4*int64(len(heads))) {
			return out, nil
		}
		flags = scratch
	}
	for h, n := range out.Len {
		if chosen && !gathered && n > 0 {
			d.card.Copy(toPositions+4*uint64(out.Start[h]), from(h).positions, 4*int64(n))
		}
	}
	d.encode(out, heads, table, flags, most, wide)
	if gathered {
		return out, nil
	}
	refused := make([]int32, len(heads))
	d.card.Read(card.Bytes(refused), flags)
	if err := refusal(f.Name, refused); err != nil {
		return fail(err)
	}
	return out, nil
}

// encode launches what encodes a cache whose longest head has so many rows; wide: of multiples of eight numbers, aligned.
func (d *Device) encode(c engine.Cache, heads []packSource, table, flags uint64, most int, wide bool) {
	const warps, each, eachWide = 8, 4, 8 // rows of a warp's lanes, one after the other
	f, lanes := c.Packed.Format, packLanes(c.Size)
	if f.Residual > 0 {
		d.card.Args(table).Int(c.Size).Ptr(flags)
		d.card.Launch(d.card.Kernel("quantize", "quantize_channels_"+d.suffix), blocks(most, f.Key.Group()), len(heads), (c.Size+31)/32*32, 0)
	}
	if wide {
		format := packedFormats[f.Name]
		side := func(format int32, side, heads int) {
			d.card.Args(table).Int(d.kindNumber(), c.Size, lanes, side).Ptr(flags)
			d.card.Launch(d.card.Kernel("quantize_wide", fmt.Sprintf("quantize_wide_%d", format)), blocks(most, warps*eachWide*32/lanes), heads, 32*warps, 0)
		}
		if format[0] == format[1] {
			side(format[0], 2, 2*len(heads))
			return
		}
		if f.Residual == 0 {
			side(format[0], 0, len(heads))
		}
		side(format[1], 1, len(heads))
		if f.Residual == 0 {
			return
		}
		most = min(most, f.Residual+1) // what is left
	}
	if f.Residual > 0 {
		lanes = 32
	}
	d.card.Args(table).Int(c.Size, lanes, flag(wide), flag(wide)).Ptr(flags)
	d.card.Launch(d.card.Kernel("quantize", "quantize_rows_"+d.suffix), blocks(most, warps*each*32/lanes), 2*len(heads), 32*warps, 0)
}

// kindNumber is the device's type as kernels for all types take it.
func (d *Device) kindNumber() int {
	switch d.kind {
	case engine.BFloat16:
		return 1
	case engine.Float16:
		return 2
	}
	return 0
}

// packLanes is how many lanes of a warp have a vector, eight numbers each.
func packLanes(size int) int {
	lanes := 8
	for 8*lanes < size {
		lanes *= 2
	}
	return lanes
}

// CacheRows decodes rows on the host.
func (d *Device) CacheRows(keys, values []float32, c engine.Cache, h, lo, hi, settled int) {
	p := c.Packed
	n := c.Len[h] + c.Room
	keyRoom, valueRoom := p.Format.Rooms(n, c.Size)
	k, v := make([]byte, keyRoom), make([]byte, valueRoom)
	ok := d.card.Enter("CacheRows")
	defer d.card.Leave()
	if !ok {
		return
	}
	d.card.HostNeeded("CacheRows")
	if d.card.Read(k, d.pointer("CacheRows", c.K, engine.Uint8)+uint64(p.Keys[h])) && d.card.Read(v, d.pointer("CacheRows", c.V, engine.Uint8)+uint64(p.Values[h])) {
		p.Format.Keys(keys, k, lo, hi, settled, c.Size, p.Scales[h])
		p.Format.Values(values, v, lo, hi, settled, c.Size, p.Scales[h])
	}
}
