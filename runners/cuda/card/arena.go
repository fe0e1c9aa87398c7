package card

import (
	"fmt"
	"slices"
)

// arena hands out device memory from chunks that it asks the driver for, since an
// allocation of the driver's own costs more than most operations. It is the
// account of [engine.Memory]. All users are on one stream, so memory may be given
// out again as soon as it is freed.
type arena struct {
	reserve func(bytes int64) (uint64, error) // asks the driver
	release func(address uint64)              // gives back

	chunks []*chunk
	blocks map[uint64]block // what is held, by address
	inUse  int64
	peak   int64

	// apart makes every block an allocation of the driver's, of exactly the size asked for,
	// and releases it, when it is free, before the next is made. A memory checker knows only of such
	// allocations: it would not notice a kernel that reads or writes past a block's end
	// inside one.
	apart bool

	// pressed: the driver had no memory left when last asked. Until it has again, chunks are
	// released as soon as they are empty, since a chunk of another size may be needed.
	pressed bool
}

// chunk is one allocation of the driver's. Small blocks have chunks of their own, and so
// have middle ones, so that they do not keep large chunks from being released. Middle ones
// share chunks: a cache of 9 MiB in a chunk of its own would take 10 from the driver.
type chunk struct {
	base  uint64
	size  int64
	class class
	free  []span // by offset, no two adjacent
}

type class uint8

const (
	small class = iota
	middle
	large
)

// classOf returns the class of a block of bytes, its rounded size, and the size of
// a chunk to ask for.
func classOf(bytes int64) (c class, size, chunk int64) {
	switch {
	case bytes < smallLimit:
		return small, roundUp(max(bytes, 1), smallGrain), smallChunk
	case bytes < middleLimit:
		return middle, roundUp(bytes, largeGrain), middleChunk
	}
	size = roundUp(bytes, largeGrain)
	return large, size, roundUp(size, chunkGrain)
}

// Takes is how much of the driver's memory a block of bytes takes where there are many of
// its size: the rounded size, and its share of what their chunks leave unused.
func Takes(bytes int64) int64 {
	c, size, chunk := classOf(bytes)
	if bytes <= 0 || c == small {
		return size * min(bytes, 1)
	}
	return chunk / (chunk / size)
}

type span struct{ offset, size int64 }

type block struct {
	chunk  *chunk
	offset int64
	size   int64 // rounded
	bytes  int64 // as asked
}

const (
	smallGrain  = 512      // alignment and rounding of small blocks
	largeGrain  = 64 << 10 // and of large ones
	smallLimit  = 4 << 20
	smallChunk  = 32 << 20
	middleLimit = 32 << 20
	middleChunk = 256 << 20
	chunkGrain  = 2 << 20 // the driver's own page
)

func newArena(reserve func(int64) (uint64, error), release func(uint64)) *arena {
	return &arena{reserve: reserve, release: release, blocks: map[uint64]block{}}
}

func roundUp(n, grain int64) int64 { return (n + grain - 1) / grain * grain }

// take returns the address of bytes that nobody else holds.
func (a *arena) take(bytes int64) (uint64, error) {
	class, size, want := classOf(bytes)
	if a.apart {
		a.trim()
		size = max(bytes, 1)
		want = size
	}
	c, i := a.fit(size, class)
	if c == nil {
		base, err := a.reserve(want)
		if err != nil {
			a.trim()
			if !a.apart {
				want = roundUp(size, chunkGrain)
			}
			base, err = a.reserve(want)
		}
		a.pressed = err != nil
		if err != nil {
			return 0, err
		}
		c, i = &chunk{base: base, size: want, class: class, free: []span{{0, want}}}, 0
		a.chunks = append(a.chunks, c)
	}
	s := c.free[i]
	if s.size == size {
		c.free = slices.Delete(c.free, i, i+1)
	} else {
		c.free[i] = span{s.offset + size, s.size - size}
	}
	p := c.base + uint64(s.offset)
	a.blocks[p] = block{c, s.offset, size, bytes}
	a.inUse += bytes
	a.peak = max(a.peak, a.inUse)
	return p, nil
}

// fit finds the smallest free span that serves.
func (a *arena) fit(size int64, class class) (*chunk, int) {
	if a.apart {
		return nil, 0
	}
	var best *chunk
	at := 0
	for _, c := range a.chunks {
		if c.class != class {
			continue
		}
		for i, s := range c.free {
			if s.size >= size && (best == nil || s.size < best.free[at].size) {
				best, at = c, i
			}
		}
	}
	return best, at
}

// give takes memory back. It panics where the address is not a block's.
func (a *arena) give(p uint64) {
	b, ok := a.blocks[p]
	if !ok {
		panic(fmt.Sprintf("cuda: freeing %#x, which is not held", p))
	}
	delete(a.blocks, p)
	a.inUse -= b.bytes
	c := b.chunk
	i, _ := slices.BinarySearchFunc(c.free, b.offset, func(s span, offset int64) int { return int(min(max(s.offset-offset, -1), 1)) })
	c.free = slices.Insert(c.free, i, span{b.offset, b.size})
	if i+1 < len(c.free) && c.free[i].offset+c.free[i].size == c.free[i+1].offset {
		c.free[i].size += c.free[i+1].size
		c.free = slices.Delete(c.free, i+1, i+2)
	}
	if i > 0 && c.free[i-1].offset+c.free[i-1].size == c.free[i].offset {
		c.free[i-1].size += c.free[i].size
		c.free = slices.Delete(c.free, i, i+1)
	}
	if a.pressed {
		a.trim()
	}
}

// trim releases empty chunks.
func (a *arena) trim() {
	a.chunks = slices.DeleteFunc(a.chunks, func(c *chunk) bool {
		empty := len(c.free) == 1 && c.free[0].size == c.size
		if empty {
			a.release(c.base)
		}
		return empty
	})
}

// idle is how much of the driver's memory the arena has and nobody holds.
func (a *arena) idle() int64 {
	n := int64(0)
	for _, c := range a.chunks {
		for _, s := range c.free {
			n += s.size
		}
	}
	return n
}

// close gives everything back.
func (a *arena) close() {
	for _, c := range a.chunks {
		a.release(c.base)
	}
	*a = *newArena(a.reserve, a.release)
}
