package models

import (
	"fmt"
	"math"
	"slices"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners/engine"
)

// Sequence is the input of a decoder: the caches of a variant, and how they are read.
type Sequence struct {
	engine.Sequence
	reader *reader // nil if a step reads whole caches
	mirror *mirror // of a sequence with a reader, once a decoder has had it
}

// reader selects the positions of a sequence's caches that a step's queries read: see
// [compress.Reader].
type reader struct {
	variant compress.Variant
	prompt  compress.Layer // without the fields that differ between layers
}

// sequence returns the sequence of a variant, without caches yet.
func (m *Model) sequence(v compress.Variant, prompt compress.Layer) Sequence {
	s := Sequence{Sequence: engine.Sequence{Position: v.Place(prompt)}}
	if v.Reads() {
		s.reader = &reader{v, prompt}
	}
	return s
}

// mirror is a float32 copy of a sequence's caches on the host: by layer and KV head, (rows, d).
type mirror struct{ keys, values [][][]float32 }

// newMirror returns an empty mirror of a sequence, or nil for a sequence without a reader.
func (m *Model) newMirror(s Sequence) *mirror {
	if s.reader == nil {
		return nil
	}
	all := &mirror{make([][][]float32, m.Layers), make([][][]float32, m.Layers)}
	for i, c := range s.Caches {
		if m.Fixed(i) {
			continue // every row of it is read
		}
		if len(c.Len) != m.Heads.KV || c.Positions.Len > 0 {
			panic(fmt.Sprintf("models: %s reads layer %d, which does not hold everything", s.reader.variant, i))
		}
		all.keys[i], all.values[i] = make([][]float32, m.Heads.KV), make([][]float32, m.Heads.KV)
		for g, length := range c.Len {
			room := (length + c.Room) * c.Size
			all.keys[i][g], all.values[i][g] = make([]float32, 0, room), make([]float32, 0, room)
		}
	}
	return all
}

// mirrorBytes is the host memory that the mirror of a sequence takes.
func (m *Model) mirrorBytes(rows int) int64 {
	return 2 * 4 * int64(len(m.PolicyLayers())) * int64(rows) * int64(m.KVWidth())
}

// follow copies the rows of a layer's cache that the mirror does not have yet.
func (r *mirror) follow(d engine.Device, layer int, c engine.Cache, steps int) {
	for g, length := range c.Len {
		keys, values := &r.keys[layer][g], &r.values[layer][g]
		lo, hi := len(*keys)/c.Size, length+steps
		if c.Packed != nil && c.Packed.Format.Residual > 0 {
			lo = 0 // entries are encoded that the mirror has as they came
		}
		*keys, *values = (*keys)[:hi*c.Size], (*values)[:hi*c.Size]
		engine.Rows(d, (*keys)[lo*c.Size:], (*values)[lo*c.Size:], c, g, lo, hi, hi-1)
	}
}

// reads reports whether any sequence has a reader.
func (b *Decoder) reads() bool {
	for _, s := range b.sequences {
		if s.mirror != nil {
			return true
		}
	}
	return false
}

// read replaces the result of attention in a layer for the rows with a reader. It computes
// in plain Go over copies, which is right on every device.
func (b *Decoder) read(layer int, by engine.Attention) {
	m, d, h := b.m, b.m.device, b.m.Heads
	if !b.reads() || m.Fixed(layer) {
		return
	}
	index := slices.Index(m.PolicyLayers(), layer)
	sinks := slices.Repeat([]float64{math.Inf(-1)}, h.Query)
	if by.Sinks.Len > 0 {
		copied := make([]float32, h.Query)
		d.Get(copied, by.Sinks)
		for a, z := range copied {
			sinks[a] = float64(z)
		}
	}
	for row, s := range b.sequences {
		r := s.mirror
		if r == nil {
			continue
		}
		r.follow(d, layer, s.Caches[layer], b.batch.Steps()+1)
		lo, hi := row*m.QueryWidth(), (row+1)*m.QueryWidth()
		flat := make([]float32, hi-lo)
		d.Get(flat, b.w.full.q.Slice(lo, hi))
		queries := make([][]float32, h.Query)
		for a := range queries {
			queries[a] = flat[a*h.Size : (a+1)*h.Size]
		}
		place := s.reader.prompt
		place.Index, place.Attention = index, by
		place.Angles, place.AnglesFrom = m.angles(layer, place.Tokens)
		attended := make([]float32, 0, len(flat))
		for a, positions := range s.reader.variant.Read(place, queries, r.keys[layer]) {
			g := a / h.Group()
			attended = append(attended, attend(queries[a], r.keys[layer][g], r.values[layer][g], positions, by, sinks[a])...)
		}
		d.Put(b.w.full.attended.Slice(lo, hi), attended)
	}
}

// attend returns a query's attention over some rows of a head's keys and values, both (n, d).
// sink is the query head's, -∞ for none.
func attend(query, keys, values []float32, rows []int32, by engine.Attention, sink float64) []float32 {
	d, highest := len(query), sink
	weights := make([]float64, len(rows))
	for i, j := range rows {
		for c, k := range keys[int(j)*d : int(j+1)*d] {
			weights[i] += float64(query[c]) * float64(k)
		}
		weights[i] *= float64(by.Scale)
		if by.Cap > 0 {
			weights[i] = float64(by.Cap) * math.Tanh(weights[i]/float64(by.Cap))
		}
		highest = max(highest, weights[i])
	}
	sum, sums := math.Exp(sink-highest), make([]float64, d)
	for i, j := range rows {
		w := math.Exp(weights[i] - highest)
		sum += w
		for c, v := range values[int(j)*d : int(j+1)*d] {
			sums[c] += w * float64(v)
		}
	}
	out := make([]float32, d)
	for c := range out {
		out[c] = float32(sums[c] / sum)
	}
	return out
}
