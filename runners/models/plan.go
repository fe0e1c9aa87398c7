package models

import (
	"fmt"
	"slices"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners/engine"
)

// Plan is the memory that a prompt under some variants needs on the device, in
// bytes, besides the weights.
type Plan struct {
	Prefill int64   // hidden states, one layer's keys and values, scratch
	Decode  int64   // scratch of the decoding rows
	Caches  []int64 // by variant, with room for new tokens
	device  string
}

// Packer is a device on which an array takes more memory than its bytes.
type Packer interface {
	// Takes is the memory of an array of so many bytes if there are many like it.
	Takes(bytes int64) int64
}

// Mixer is a device whose MixtureAdd needs additional memory.
type Mixer interface {
	// MixtureBytes is that memory in bytes, for so many tokens of a prompt.
	MixtureBytes(tokens, width, ff, experts, perToken int) int64
}

// Unpacker is a device whose products of many rows need additional memory for weights that
// are packed.
type Unpacker interface {
	// UnpackBytes is that memory in bytes, for a product with one weight, or for those of a
	// mixture with these of all its experts.
	UnpackBytes(weights ...engine.Weight) int64
}

// unpackBytes is the most memory that a layer's product needs to unpack its weights.
func (m *Model) unpackBytes() (most int64) {
	d, ok := m.device.(Unpacker)
	if !ok {
		return 0
	}
	for i, y := range m.layers {
		most = max(most, d.UnpackBytes(y.qkv), d.UnpackBytes(y.out))
		if y.outGate != nil {
			most = max(most, d.UnpackBytes(y.outGate))
		}
		if m.Sparse(i) {
			most = max(most, d.UnpackBytes(y.experts.GateUp...), d.UnpackBytes(y.experts.Down...))
		} else {
			most = max(most, d.UnpackBytes(y.gateUp), d.UnpackBytes(y.down))
		}
	}
	return most
}

// Plan computes the memory that Prefill and a Decoder will need.
func (m *Model) Plan(variants []compress.Variant, n, room int, twins bool) Plan {
	element := int64(m.device.Type().Size())
	takes := func(bytes int64) int64 { return bytes }
	if d, ok := m.device.(Packer); ok {
		takes = d.Takes
	}
	array := func(rows, width int) int64 { return takes(int64(rows) * int64(width) * element) }
	p := Plan{device: m.device.Name()}
	scratch := int64(0) // numbers per decoding row
	for _, w := range m.widths() {
		scratch += int64(w)
		p.Prefill += array(min(m.block, n), w)
	}
	if d, ok := m.device.(Mixer); ok && m.Experts > 0 {
		p.Prefill += d.MixtureBytes(min(m.block, n), m.Width, m.ExpertFF, m.Experts, m.PerToken)
	}
	p.Prefill += m.unpackBytes()
	rotation := 4 * int64(n+room) * int64(m.Heads.Size)
	if m.SlidingRope != nil {
		rotation *= 2
	}
	if m.Rope.changes() > 0 {
		rotation *= 2 // the prompt's, and that of the tokens behind it
	}
	p.Prefill += array(n, m.Width) + 2*array(n, m.KVWidth()) + 4*int64(n) + 4*int64(m.Vocab) + rotation
	if m.Linear.Count() > 0 {
		s, conv := m.Linear.shape().StateLen()
		p.Prefill += takes(4*int64(s)) + takes(4*int64(conv)) // the prompt's own
		if d, ok := m.device.(LinearPlanner); ok {
			p.Prefill += d.LinearBytes(min(m.block, n), m.Linear.shape())
		}
	}
	rows := int64(len(variants))
	if twins {
		rows *= 2
	}
	p.Decode = rows * (scratch*element + int64(m.Width)*element + 4*int64(m.Vocab) + 4) // and a token's id
	if twins {
		p.Decode += 4 * int64(len(variants)) // divergences
	}
	l := m.PolicyPlace(n, 0)
	gathered := int64(0) // bytes of what one variant keeps of a layer before it is encoded
	chosen := int64(0)   // bytes of positions, in the layer with most of them
	for _, v := range variants {
		var bytes, most int64
		for i := range l.Layers {
			l.Index = i
			e := v.Expect(l)
			held := e.Most() + e.Heads*room
			if f := m.formatOf(v, i); f == nil {
				bytes += 2 * array(held, m.Heads.Size)
			} else {
				keys, values := formatBytes(f, e.Heads, held, m.Heads.Size)
				bytes += takes(keys) + takes(values)
				gathered = max(gathered, 2*array(e.Most(), m.Heads.Size)+takes(4*int64(e.Most())))
			}
			if e.Tail < n { // positions may be dropped, so the cache stores which are kept
				bytes += takes(4 * int64(held))
				most = max(most, 4*int64(e.Most()))
			}
		}
		for i, w := range m.Windows {
			if m.Linear.Has(i) {
				s, conv := m.Linear.shape().StateLen()
				bytes += takes(4*int64(s)) + takes(4*int64(conv))
			} else if m.Fixed(i) {
				kept := m.Heads.KV * min(n, w)
				held := kept + m.Heads.KV*room
				if f := m.fixedFormat(v); f == nil {
					bytes += 2 * array(held, m.Heads.Size)
				} else {
					keys, values := formatBytes(f, m.Heads.KV, held, m.Heads.Size)
					bytes += takes(keys) + takes(values)
					gathered = max(gathered, 2*array(kept, m.Heads.Size)+takes(4*int64(kept)))
				}
				if w < n {
					bytes += takes(4 * int64(held))
				}
			}
		}
		chosen += most
		if v.Reads() && engine.OnHost(m.device.Name()) {
			bytes += m.mirrorBytes(n + room)
		}
		if twins {
			bytes *= 2
		}
		p.Caches = append(p.Caches, bytes)
	}
	needs := compress.NeedsOf(variants, l)
	p.Prefill += chosen + gathered + takes(4*int64(needs.Scores)*int64(n))
	if held := needs.Held(n); held > 0 {
		p.Prefill += array(held, m.QueryWidth())
	}
	if needs.Columns {
		// The sums over all queries, and a number for each query of a block.
		p.Prefill += takes(4*int64(m.Heads.Query)*int64(n)) + takes(4*int64(m.Heads.Query)*int64(min(m.block, n)))
	}
	if needs.Output {
		p.Prefill += takes(compress.OutputBytes(m.device.Type(), n, m.QueryWidth(), m.Width))
	}
	return p
}

// Of returns the plan of b prompts like this one, which are read one after the other
// and decoded together.
func (p Plan) Of(b int) Plan {
	p.Decode *= int64(b)
	p.Caches = slices.Repeat(p.Caches, b)
	return p
}

// Total is the largest memory needed at any time.
func (p Plan) Total() int64 {
	total := max(p.Prefill, p.Decode)
	for _, c := range p.Caches {
		total += c
	}
	return total
}

// Fitting drops the variants with the largest caches until the others fit into
// free bytes (0: no limit). By variant it returns an error that wraps an
// *engine.OutOfMemory, or nil if the variant fits.
func (p Plan) Fitting(free int64) []error {
	out := make([]error, len(p.Caches))
	if free <= 0 {
		return out
	}
	left := p.Total()
	order := make([]int, len(p.Caches))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return int(min(1, max(-1, p.Caches[b]-p.Caches[a]))) })
	for _, i := range order {
		if left <= free {
			break
		}
		out[i] = fmt.Errorf("it does not fit: %w", &engine.OutOfMemory{Device: p.device, Need: left, Free: free})
		left -= p.Caches[i]
	}
	return out
}
