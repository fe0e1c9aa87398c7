package cuda

import (
	"fmt"

	"github.com/snapbench/snapbench/runners/cuda/card"
	"github.com/snapbench/snapbench/runners/engine"
)

// segment and gatherItem are struct Segment and Item of kernels/gather.cu.
type segment struct {
	k, v, toK, toV, positions, toPositions uint64
}

type gatherItem struct {
	segment, row, rows, _ int32
}

// gatherRows is how many rows a block copies.
const gatherRows = 256

// Gather copies what each Kept chose, all in one launch.
func (d *Device) Gather(kv engine.KV, kept []engine.Kept, room int) ([]engine.Cache, error) {
	d.checkKV("Gather", kv, engine.Heads{Query: kv.Heads, KV: kv.Heads, Size: kv.Size})
	k, v := d.pointer("Gather", kv.K, d.kind), d.pointer("Gather", kv.V, d.kind)
	rowBytes := kv.Size * d.kind.Size()
	caches := make([]engine.Cache, len(kept))
	fail := func(err error) ([]engine.Cache, error) {
		d.FreeCache(caches...)
		return nil, err
	}
	for i, c := range kept {
		heads := len(c.Len)
		if heads == 0 || heads%kv.Heads != 0 {
			panic(fmt.Sprintf("cuda: Gather: %d cache heads over %d", heads, kv.Heads))
		}
		both := make([]int, 2*heads)
		cache := engine.Cache{Len: both[:heads:heads], Start: both[heads:], Room: room, Size: kv.Size}
		rows, taken := 0, 0
		for a, n := range c.Len {
			if n < 0 || n > kv.Tokens || c.All && n != kv.Tokens {
				panic(fmt.Sprintf("cuda: Gather: head %d keeps %d of %d rows", a, n, kv.Tokens))
			}
			cache.Start[a], cache.Len[a] = rows, n
			rows += n + room
			taken += n
		}
		if !c.All {
			same("Gather", "positions", c.Positions.Len, taken)
		}
		var err error
		if cache.K, err = d.New(d.kind, rows*kv.Size); err != nil {
			return fail(err)
		}
		caches[i] = cache
		if caches[i].V, err = d.New(d.kind, rows*kv.Size); err != nil {
			return fail(err)
		}
		if !c.All {
			if caches[i].Positions, err = d.New(engine.Int32, rows); err != nil {
				return fail(err)
			}
		}
	}
	// Segments go in the order of the KV heads, so that a head's keys are in the L2 cache
	// while all caches copy from it.
	segments, items := d.segments[:0], d.items[:0]
	taken := make([]int, len(kept))
	for h := range kv.Heads {
		from := uint64(h) * uint64(kv.Tokens) * uint64(rowBytes)
		for i, c := range kept {
			copies := len(c.Len) / kv.Heads
			toK, toV := d.pointer("Gather", caches[i].K, d.kind), d.pointer("Gather", caches[i].V, d.kind)
			positions, toPositions := d.pointer("Gather", c.Positions, engine.Int32), d.pointer("Gather", caches[i].Positions, engine.Int32)
			for a := h * copies; a < (h+1)*copies; a++ {
				n, to := c.Len[a], uint64(caches[i].Start[a])*uint64(rowBytes)
				s := segment{k: k + from, v: v + from, toK: toK + to, toV: toV + to}
				if !c.All {
					s.positions, s.toPositions = positions+4*uint64(taken[i]), toPositions+4*uint64(caches[i].Start[a])
				}
				for row := 0; row < n; row += gatherRows {
					items = append(items, gatherItem{segment: int32(len(segments)), row: int32(row), rows: int32(min(gatherRows, n-row))})
				}
				segments = append(segments, s)
				taken[i] += n
			}
		}
	}
	d.segments, d.items = segments, items
	ok := d.card.Enter("Gather")
	defer d.card.Leave()
	if !ok || len(items) == 0 {
		return caches, nil
	}
	segmentTable, done, ok := card.Table(d.card, segments)
	defer done()
	if !ok {
		return caches, nil
	}
	itemTable, done, ok := card.Table(d.card, items)
	defer done()
	if !ok {
		return caches, nil
	}
	unit := 2
	switch {
	case (uint64(rowBytes)|k|v)%16 == 0:
		unit = 16
	case (uint64(rowBytes)|k|v)%4 == 0:
		unit = 4
	}
	d.card.Args(segmentTable, itemTable).Int(rowBytes / unit)
	d.card.Launch(d.card.Kernel("gather", fmt.Sprintf("gather_%d", unit)), len(items), 1, 256, 0)
	return caches, nil
}

// FreeCache gives caches back.
func (d *Device) FreeCache(caches ...engine.Cache) {
	for _, c := range caches {
		d.unstored.forget(d, c)
		d.Free(c.K, c.V, c.Positions, c.State.S, c.State.Conv)
	}
}
