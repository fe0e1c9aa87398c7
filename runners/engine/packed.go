package engine

import (
	"fmt"

	"github.com/snapbench/snapbench/runners/engine/cacheformat"
)

// Packed says how a cache holds codes instead of the device's own numbers: K and V are Uint8, and
// head h's runs of bytes, as package cacheformat lays them out, begin at Keys[h] of K and at
// Values[h] of V. Start counts the rows of Positions alone.
type Packed struct {
	Format       *cacheformat.Format
	Keys, Values []int
	Scales       []cacheformat.Scale // by cache head
}

// Quantizer is a device whose caches may hold codes. New entries are encoded before attention
// reads them, and attention is computed of decoded numbers; what a format's residual makes due
// is encoded by Advance.
type Quantizer interface {
	// Quantizes reports whether the device has a format, for heads of that size.
	Quantizes(f *cacheformat.Format, size int) error
	// Quantize returns a cache in a format with the entries of c, which has the device's own
	// numbers, and room for more rows behind each head. Scales are by cache head, nil where the
	// format has none. What the format refuses is a *Refusal. Afterwards c is still the caller's.
	Quantize(c Cache, f *cacheformat.Format, scales []cacheformat.Scale, room int) (Cache, error)
	// CacheRows decodes the rows lo…hi of head h of a cache in a format to the host: keys and
	// values (hi-lo, d). Settled is how many rows there were when Advance was called last, or
	// when the cache was made.
	CacheRows(keys, values []float32, c Cache, h, lo, hi, settled int)
	// Refused returns by row of a batch the *Refusal of an entry that a step could not store, nil
	// for none. Such a row's results have no meaning.
	Refused(b Batch) []error
}

// GatherQuantizer is a device that gathers and encodes at once, without a copy in its own numbers. It does not wait to see whether
// the format stores everything: that is asked for many caches at once, before they are used.
type GatherQuantizer interface {
	// GatherQuantized is [Device.Gather] of one Kept, then [Quantizer.Quantize], but that what the format refuses is
	// told by Unstored.
	GatherQuantized(kv KV, kept Kept, f *cacheformat.Format, scales []cacheformat.Scale, room int) (Cache, error)
	// Unstored returns by cache, once, the *Refusal of what GatherQuantized could not store, nil for none. All
	// caches are still the caller's.
	Unstored(caches ...Cache) []error
}

// GatherQuantized is [GatherQuantizer.GatherQuantized] of any device that has the format. Other devices refuse at once.
func GatherQuantized(d Device, kv KV, kept Kept, f *cacheformat.Format, scales []cacheformat.Scale, room int) (Cache, error) {
	if g, ok := d.(GatherQuantizer); ok {
		return g.GatherQuantized(kv, kept, f, scales, room)
	}
	caches, err := d.Gather(kv, []Kept{kept}, 0)
	if err != nil {
		return Cache{}, err
	}
	defer d.FreeCache(caches...)
	return d.(Quantizer).Quantize(caches[0], f, scales, room)
}

// Unstored is [GatherQuantizer.Unstored] of any device; nil where all is stored.
func Unstored(d Device, caches ...Cache) []error {
	if g, ok := d.(GatherQuantizer); ok {
		return g.Unstored(caches...)
	}
	return nil
}

// Refusal is an entry of a cache that a format cannot store.
type Refusal struct {
	Layer, Head int // -1 where not known
	Format      string
	Err         error
}

func (e *Refusal) Error() string {
	layer := ""
	if e.Layer >= 0 {
		layer = fmt.Sprintf("layer %d, ", e.Layer)
	}
	return fmt.Sprintf("cache format %s, %shead %d: %v", e.Format, layer, e.Head, e.Err)
}

// Unwrap returns what could not be stored.
func (e *Refusal) Unwrap() error { return e.Err }

// Quantizes is [Quantizer.Quantizes] of any device: one that has no formats refuses all.
func Quantizes(d Device, f *cacheformat.Format, size int) error {
	q, ok := d.(Quantizer)
	if !ok {
		return fmt.Errorf("%s has no cache formats: %s can't be used there", d.Name(), f.Name)
	}
	if err := f.Fits(size); err != nil {
		return err
	}
	return q.Quantizes(f, size)
}

// Refused is [Quantizer.Refused] of any device.
func Refused(d Device, b Batch) []error {
	if q, ok := d.(Quantizer); ok {
		return q.Refused(b)
	}
	return nil
}

// Pack lays out a cache in a format for the entries of c and room for more: everything but the
// arrays K, V and Positions.
func (c Cache) Pack(f *cacheformat.Format, scales []cacheformat.Scale, room int) (packed Cache, keys, values, rows int) {
	p := &Packed{Format: f, Scales: scales}
	if scales == nil {
		p.Scales = make([]cacheformat.Scale, len(c.Len))
	}
	out := Cache{Len: append([]int(nil), c.Len...), Room: room, Size: c.Size, Packed: p}
	for _, n := range c.Len {
		p.Keys, p.Values, out.Start = append(p.Keys, keys), append(p.Values, values), append(out.Start, rows)
		k, v := f.Rooms(n+room, c.Size)
		keys, values, rows = keys+aligned(k), values+aligned(v), rows+n+room
	}
	return out, keys, values, rows
}

// RunAlign is what the runs of a head begin at multiples of, so that devices may read them in wide pieces.
const RunAlign = 16

func aligned(n int) int { return (n + RunAlign - 1) / RunAlign * RunAlign }

// Held returns what a cache holds of its entries, in bytes, without room for more: in a format its
// codes, scales and residual, else two numbers of type t for each channel. Positions are not
// counted, a state is.
func (c Cache) Held(t Type) (bytes int64) {
	return c.held(t, 0, (*cacheformat.Format).Bytes)
}

// held is Held with so many more entries in each head, counted in a format by count of their number and the head size.
func (c Cache) held(t Type, more int, count func(f *cacheformat.Format, n, size int) int64) (bytes int64) {
	bytes = c.State.Bytes()
	for _, n := range c.Len {
		if c.Packed != nil {
			bytes += count(c.Packed.Format, n+more, c.Size)
		} else {
			bytes += 2 * int64(n+more) * int64(c.Size) * int64(t.Size())
		}
	}
	return bytes
}

// PeakHeld is the most that a sequence's caches hold at one moment while so many more entries come: all layers take a new one
// before any of them encodes what is due.
func PeakHeld(caches []Cache, t Type, more int) int64 {
	at := func(n int, count func(*cacheformat.Format, int, int) int64) (bytes int64) {
		for _, c := range caches {
			bytes += c.held(t, n, count)
		}
		return bytes
	}
	most := at(0, (*cacheformat.Format).Bytes)
	residual := 0
	for _, c := range caches {
		if c.Packed != nil {
			residual = max(residual, c.Packed.Format.Residual)
		}
	}
	if residual == 0 {
		return max(most, at(more, (*cacheformat.Format).Bytes)) // every entry adds its bytes at once
	}
	for i := max(0, more-residual); i < more; i++ { // a residual later everything is as it was, and more is encoded besides
		most = max(most, at(i+1, (*cacheformat.Format).NewestBytes), at(i+1, (*cacheformat.Format).Bytes))
	}
	return most
}

// PerToken returns the bytes of one more entry of each head: in a format those of an encoded one.
func (c Cache) PerToken(t Type) float64 {
	if c.Packed != nil {
		return float64(len(c.Len)) * c.Packed.Format.TokenBytes(c.Size)
	}
	return float64(2 * len(c.Len) * c.Size * t.Size())
}

// Rows copies the rows lo…hi of head h of a cache to the host, decoded: keys and values
// (hi-lo, d). For settled see [Quantizer.CacheRows].
func Rows(d Device, keys, values []float32, c Cache, h, lo, hi, settled int) {
	if c.Packed != nil {
		d.(Quantizer).CacheRows(keys, values, c, h, lo, hi, settled)
		return
	}
	from, to := (c.Start[h]+lo)*c.Size, (c.Start[h]+hi)*c.Size
	d.Get(keys, c.K.Slice(from, to))
	d.Get(values, c.V.Slice(from, to))
}
