package compress

import (
	"slices"
	"testing"
)

// A policy of which decoding reads a part keeps everything, and reads no more than its
// capacity, of what a query sees, the query's own position always; the same each time. No
// other policy is asked what it reads.
func TestContractReads(t *testing.T) {
	readers := 0
	for _, l := range contractLayers {
		p := promptLayer(t, l)
		keys, queries := (&ops{device: p.device, source: p.source, layer: p.layer}).Keys(), p.lastQueries(t)
		for _, d := range Definitions() {
			for _, v := range contractVariants(t, d, p.layer) {
				if !v.Reads() {
					continue
				}
				readers++
				if e := v.Expect(p.layer); e != (full{}).Expect(p.layer, Capacity{}) {
					t.Errorf("%s, %d tokens: it reads a part of what it keeps, which is not all: %+v", v, l.Tokens, e)
				}
				capacity, ok := v.Capacity(l.Index, l.Tokens)
				if !ok {
					capacity = l.Tokens
				}
				read, again := v.Read(p.layer, queries, keys), v.Read(p.layer, queries, keys)
				if len(read) != l.Heads.Query || !slices.EqualFunc(read, again, slices.Equal[[]int32]) {
					t.Errorf("%s, %d tokens: reads %v, then %v", v, l.Tokens, read, again)
				}
				for a, positions := range read {
					last := int32(p.layer.hidden(l.Tokens)) - 1
					for _, j := range positions {
						if j <= last || int(j) >= l.Tokens {
							t.Errorf("%s, query head %d: position %d follows %d of %d", v, a, j, last, l.Tokens)
						}
						last = j
					}
					if len(positions) > capacity || int(last) != l.Tokens-1 {
						t.Errorf("%s, query head %d reads %d positions, %d at most, up to %d of %d", v, a, len(positions), capacity, last, l.Tokens)
					}
				}
			}
		}
	}
	if readers == 0 {
		t.Error("no policy reads a part of the cache")
	}
}

// lastQueries copies the last position's, by query head.
func (p *prompted) lastQueries(t *testing.T) [][]float32 {
	h := p.layer.Heads
	all := make([]float32, p.source.Queries.Len)
	p.device.Get(all, p.source.Queries)
	if err := p.device.Sync(); err != nil {
		t.Fatal(err)
	}
	return slices.Collect(slices.Chunk(all[len(all)-h.Query*h.Size:], h.Size))
}
