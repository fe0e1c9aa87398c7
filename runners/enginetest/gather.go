package enginetest

import (
	"fmt"

	"github.com/snapbench/snapbench/runners/engine"
)

func gather(b *bench) {
	for i, h := range append(headShapes, headShapes...) {
		kv := b.kvFrom(i/len(headShapes), 130, h) // the second time, rows that are not aligned
		for _, heads := range []int{h.KV, h.Query} {
			lens, all := make([]int, heads), make([]int, heads)
			var positions []int32
			for i := range lens {
				lens[i], all[i] = (i*37+11)%130, 130 // ragged
				for _, p := range b.rng.Perm(130)[:lens[i]] {
					positions = append(positions, int32(p))
				}
			}
			chosen := b.inInts(positions)
			caches := map[engine.Device][]engine.Cache{}
			b.both(func(d engine.Device, at func(*pair) engine.Array) {
				c, err := d.Gather(kv.on(at), []engine.Kept{{Positions: at(chosen), Len: lens}, {Len: all, All: true}}, 4)
				b.must(err)
				caches[d] = c
			})
			b.unchanged("gather")
			for i, want := range caches[b.ref] {
				b.sameCache(fmt.Sprintf("%+v, %d heads, kept %d", h, heads, i), caches[b.dev][i], want)
			}
			before := b.dev.Memory().InUse
			b.dev.FreeCache(caches[b.dev]...)
			if after := b.dev.Memory().InUse; after >= before {
				b.Errorf("freeing caches changed InUse from %d to %d", before, after)
			}
		}
		b.release()
	}
}

// sameCache compares what two caches hold, head by head: each device may lay out the heads
// in its own way.
func (b *bench) sameCache(what string, got, want engine.Cache) {
	b.Helper()
	if len(got.Len) != len(want.Len) || got.Size != want.Size || got.Room != want.Room || (got.Positions.Len == 0) != (want.Positions.Len == 0) {
		b.Fatalf("%s: cache %+v, want %+v", what, got, want)
	}
	for h, n := range want.Len {
		if got.Len[h] != n {
			b.Fatalf("%s: head %d keeps %d rows, want %d", what, h, got.Len[h], n)
		}
		if room := got.K.Len/got.Size - got.Start[h] - n; room < got.Room {
			b.Fatalf("%s: head %d has room for %d rows, want %d", what, h, room, got.Room)
		}
		for name, a := range map[string][2]engine.Array{"keys": {got.K, want.K}, "values": {got.V, want.V}} {
			w := make([]float32, n*want.Size)
			b.ref.Get(w, a[1].Slice(want.Start[h]*want.Size, (want.Start[h]+n)*want.Size))
			if err := same(b.get(a[0].Slice(got.Start[h]*got.Size, (got.Start[h]+n)*got.Size)), w); err != nil {
				b.Errorf("%s: head %d: %s: %v", what, h, name, err)
			}
		}
		if want.Positions.Len > 0 {
			w := make([]int32, n)
			b.ref.GetInts(w, want.Positions.Slice(want.Start[h], want.Start[h]+n))
			for i, g := range b.getInts(got.Positions.Slice(got.Start[h], got.Start[h]+n)) {
				if g != w[i] {
					b.Fatalf("%s: head %d: position %d is %d, want %d", what, h, i, g, w[i])
				}
			}
		}
	}
}
