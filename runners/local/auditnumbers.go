package local

import (
	"fmt"
	"math"
	"sort"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/models"
)

// seen are the keys and values that a prefill computed for the last tokens of a prompt in one KV head of one layer: what
// caches must hold of them, or their formats make of it. Which layer and head is by the sample's number, so that the prompts of a run
// go through all of them.
type seen struct {
	layer, head, heads int
	first              int // the first token's position
	size               int
	keys, values       []float32 // (tokens, size)
	err                error
}

const (
	seenTokens  = 4096 // of a prompt, the last ones
	auditedRows = 256  // of a cache, the last ones
)

// sees has a prefill show what there is to see.
func sees(p *models.Prompt, m *models.Model) *seen {
	layers := m.PolicyLayers()
	at := max(0, p.Sample)
	s := &seen{layer: layers[at%len(layers)], head: at / len(layers) % m.Heads.KV, heads: m.Heads.KV, size: m.Heads.Size}
	p.Trace.KV = func(layer int, kv engine.KV) {
		if layer != s.layer {
			return
		}
		s.first = max(0, kv.Tokens-seenTokens)
		from, to := (s.head*kv.Tokens+s.first)*kv.Size, (s.head+1)*kv.Tokens*kv.Size
		s.keys, s.values = make([]float32, to-from), make([]float32, to-from)
		d := m.Device()
		d.Get(s.keys, kv.K.Slice(from, to))
		d.Get(s.values, kv.V.Slice(from, to))
		s.err = d.Sync()
	}
	return s
}

// Audit reads back what the cache of a variant holds of those tokens, and says what is not as it was computed, or as far from it as
// the format makes it. edited says that the policy changes keys. rows is how many it looked at.
func (s *seen) Audit(d engine.Device, v compress.Variant, q engine.Sequence, n int, edited bool) (rows int, err error) {
	c := q.Caches[s.layer]
	h := s.head * (len(c.Len) / s.heads)
	position := func(i int) int { return i }
	if c.Positions.Len > 0 {
		held := make([]int32, c.Len[h])
		d.GetInts(held, c.Positions.Slice(c.Start[h], c.Start[h]+c.Len[h]))
		if err := d.Sync(); err != nil {
			return 0, err
		}
		position = func(i int) int { return int(held[i]) }
	}
	hi := c.Len[h]
	lo := max(hi-auditedRows, sort.Search(hi, func(i int) bool { return position(i) >= s.first }))
	if c.Packed != nil && c.Packed.Format.Residual > 0 { // whole residuals, so that what is encoded here is what is encoded there
		r := c.Packed.Format.Residual
		lo = (lo + r - 1) / r * r
	}
	if lo >= hi {
		return 0, nil
	}
	exact := func(computed []float32) []float32 {
		x := make([]float32, 0, (hi-lo)*s.size)
		for i := lo; i < hi; i++ {
			at := (position(i) - s.first) * s.size
			x = append(x, computed[at:at+s.size]...)
		}
		return x
	}
	keys, values := exact(s.keys), exact(s.values)
	wantKeys, wantValues, as := keys, values, "what was computed"
	if p := c.Packed; p != nil {
		f, scale := p.Format, p.Scales[h]
		keyRoom, valueRoom := f.Rooms(hi-lo, s.size)
		k, v := make([]byte, keyRoom), make([]byte, valueRoom)
		if err := f.Fill(k, v, keys, values, s.size, scale); err != nil {
			if edited { // what is encoded there is something else
				return 0, nil
			}
			return 0, err
		}
		wantKeys, wantValues, as = make([]float32, len(keys)), make([]float32, len(values)), "what "+f.Name+" makes of what was computed"
		f.Keys(wantKeys, k, 0, hi-lo, hi-lo, s.size, scale)
		f.Values(wantValues, v, 0, hi-lo, hi-lo, s.size, scale)
	}
	gotKeys, gotValues := make([]float32, len(keys)), make([]float32, len(values))
	engine.Rows(d, gotKeys, gotValues, c, h, lo, hi, c.Len[h])
	if err := d.Sync(); err != nil {
		return 0, err
	}
	sides := []side{{"value", values, wantValues, gotValues}}
	if !edited {
		sides = append(sides, side{"key", keys, wantKeys, gotKeys})
	}
	for _, a := range sides {
		for i := range hi - lo {
			row := func(x []float32) []float32 { return x[i*s.size : (i+1)*s.size] }
			off, may := distance(row(a.got), row(a.computed)), distance(row(a.want), row(a.computed))
			if !(off <= 1.1*may+1e-5) {
				return 0, &AuditError{v, s.layer, fmt.Sprintf("head %d: the %s of position %d is not %s: it is off by %.3g of its length, and may be by %.3g",
					h, a.what, position(lo+i), as, off, may)}
			}
		}
	}
	return hi - lo, nil
}

// side are a cache's keys or values: what was computed, what should be held of it and what is.
type side struct {
	what                string
	computed, want, got []float32
}

// distance is ‖y − x‖ / ‖x‖, 0 where they are equal.
func distance(y, x []float32) float64 {
	sum, length := 0.0, 0.0
	for i, v := range x {
		d := float64(y[i]) - float64(v)
		sum, length = sum+d*d, length+float64(v)*float64(v)
	}
	if sum == 0 {
		return 0
	}
	return math.Sqrt(sum / length)
}
