package card

import (
	"errors"
	"math/rand/v2"
	"testing"
)

func TestArena(t *testing.T) {
	const limit = 256 << 20
	held, next := map[uint64]int64{}, uint64(1<<30)
	used := int64(0)
	full := errors.New("full")
	a := newArena(func(n int64) (uint64, error) {
		if used += n; used > limit {
			used -= n
			return 0, full
		}
		next += 1 << 30
		held[next] = n
		return next, nil
	}, func(p uint64) {
		used -= held[p]
		delete(held, p)
	})
	rng := rand.New(rand.NewPCG(1, 2))
	type piece struct {
		at    uint64
		bytes int64
	}
	var pieces []piece
	sum := int64(0)
	for range 20000 {
		if rng.IntN(2) == 0 || len(pieces) == 0 {
			n := int64(rng.IntN(3000))
			if rng.IntN(20) == 0 {
				n = int64(rng.IntN(20 << 20))
			}
			p, err := a.take(n)
			if err != nil {
				if err != full {
					t.Fatal(err)
				}
				continue
			}
			if p%smallGrain != 0 {
				t.Fatalf("block at %#x", p)
			}
			for _, q := range pieces {
				if p < q.at+uint64(max(q.bytes, 1)) && q.at < p+uint64(max(n, 1)) {
					t.Fatalf("%d bytes at %#x overlap %d at %#x", n, p, q.bytes, q.at)
				}
			}
			pieces = append(pieces, piece{p, n})
			sum += n
		} else {
			i := rng.IntN(len(pieces))
			a.give(pieces[i].at)
			sum -= pieces[i].bytes
			pieces[i] = pieces[len(pieces)-1]
			pieces = pieces[:len(pieces)-1]
		}
		if a.inUse != sum || a.peak < a.inUse {
			t.Fatalf("account says %d in use, peak %d, it is %d", a.inUse, a.peak, sum)
		}
	}
	for _, p := range pieces {
		a.give(p.at)
	}
	if a.inUse != 0 || a.idle() != used {
		t.Errorf("%d in use and %d idle after everything was given back, %d from the driver", a.inUse, a.idle(), used)
	}
	// Idle memory is released to make room for one large block.
	if _, err := a.take(limit - chunkGrain); err != nil {
		t.Errorf("one block of nearly everything: %v", err)
	}
	if _, err := a.take(limit); err != full {
		t.Errorf("more than there is: %v", err)
	}
	a.close()
	if used != 0 {
		t.Errorf("%d bytes kept after close", used)
	}
	defer func() {
		if recover() == nil {
			t.Error("freeing what is not held did not panic")
		}
	}()
	a.give(42)
}

// TestArenaPacks: caches of some megabytes share chunks, so that little is lost to rounding.
func TestArenaPacks(t *testing.T) {
	const limit, size = 1 << 30, 9<<20 + 5000
	used, full := int64(0), errors.New("full")
	a := newArena(func(n int64) (uint64, error) {
		if used+n > limit {
			return 0, full
		}
		used += n
		return uint64(used) << 30, nil
	}, func(uint64) {})
	n := int64(0)
	for ; ; n++ {
		if _, err := a.take(size); err != nil {
			break
		}
	}
	if n*size < limit*97/100 {
		t.Errorf("%d blocks of %d bytes fit into %d", n, size, limit)
	}
}

// TestArenaPressed: after an allocation that did not fit, a smaller one can use all the
// memory; and Takes tells how many blocks fit.
func TestArenaPressed(t *testing.T) {
	const limit = 8 << 30
	held, used, next := map[uint64]int64{}, int64(0), uint64(0)
	full := errors.New("full")
	a := newArena(func(n int64) (uint64, error) {
		if used+n > limit {
			return 0, full
		}
		used, next = used+n, next+1<<40
		held[next] = n
		return next, nil
	}, func(p uint64) {
		used -= held[p]
		delete(held, p)
	})
	for _, size := range []int64{130<<20 + 100, 128<<20 + 70000, 9<<20 + 5000, 100<<20 + 1} {
		var blocks []uint64
		for {
			p, err := a.take(size)
			if err != nil {
				break
			}
			blocks = append(blocks, p)
		}
		if want := limit / Takes(size); int64(len(blocks)) != want {
			t.Errorf("%d blocks of %d bytes fit into %d, Takes makes it %d", len(blocks), size, int64(limit), want)
		}
		for _, p := range blocks {
			a.give(p)
		}
	}
}

// TestArenaApart: every block is an allocation of its own size, which is released before
// the next is made.
func TestArenaApart(t *testing.T) {
	held, next := map[uint64]int64{}, uint64(1<<30)
	a := newArena(func(n int64) (uint64, error) {
		next += 1 << 30
		held[next] = n
		return next, nil
	}, func(p uint64) { delete(held, p) })
	shared, _ := a.take(100) // before it is asked for
	a.apart = true
	var blocks []uint64
	for _, n := range []int64{0, 1, 513, 5 << 20, 40<<20 + 3} {
		p, err := a.take(n)
		if err != nil || held[p] != max(n, 1) {
			t.Fatalf("%d bytes lie in %d of the driver's (%v)", n, held[p], err)
		}
		blocks = append(blocks, p)
	}
	for _, p := range blocks {
		a.give(p)
	}
	a.give(shared)
	last, _ := a.take(7)
	if a.inUse != 7 || len(held) != 1 || held[last] != 7 {
		t.Errorf("%d bytes in use in %d allocations after everything but 7 bytes was given back", a.inUse, len(held))
	}
}
