package compress

import (
	"fmt"
	"math"
	"slices"
	"sync"
)

func init() {
	Register(Definition{
		Name: "random", Title: "random", Help: "keeps positions drawn at random, and the last w",
		Parameters: []Parameter{
			{Name: "w", Flag: "windows", Kind: Whole, Default: "32", Help: "last positions that are always kept, the observation window of policies that score by it"},
			{Name: "seed", Flag: "seeds", Kind: Whole, Default: "0", Help: "of a random choice"},
		},
		New: func(a Arguments) (Policy, error) { return random{a.Whole("w"), a.Whole("seed")}, nil },
	})
}

// random keeps the last w positions and those with the smallest hash of seed,
// sample, layer, cache head and position: the same on every device and machine.
type random struct{ window, seed List[int] }

func (random) Needs(Layer) Needs { return Needs{} }

func (r random) Check(l Layer, c Capacity) error {
	if w := r.window.At(l.Index); c.Tokens < w {
		return fmt.Errorf("capacity %d is less than the last %d positions", c.Tokens, w)
	}
	return nil
}

func (r random) Expect(l Layer, c Capacity) Expectation {
	return Expectation{Heads: l.Heads.KV, PerHead: c.Tokens, Total: l.Heads.KV * c.Tokens, Tail: r.window.At(l.Index)}
}

func (r random) Keep(ops Ops, l Layer, c Capacity) (Kept, error) {
	heads := make([][]int32, l.Heads.KV)
	var all sync.WaitGroup
	for h := range heads {
		all.Go(func() { heads[h] = r.draw(l, h, c.Tokens) })
	}
	all.Wait()
	return ops.Positions(heads), nil
}

// draw returns a cache head's positions, ascending.
func (r random) draw(l Layer, head, capacity int) []int32 {
	w := r.window.At(l.Index)
	before, count := l.Tokens-w, capacity-w
	base := splitMix(uint64(r.seed.At(l.Index)))
	for _, part := range []int{l.Sample, l.Index, head} {
		base = splitMix(base ^ uint64(part))
	}
	// The hashes are spread evenly: a little more than count of them are below a bound
	// a little above their share, and the others need not be sorted. Where they are too
	// few, it rises.
	share := (float64(count) + 2*math.Sqrt(float64(count)) + 4) / float64(before)
	var low []int32
	var keys []uint64
	for {
		bound := uint64(math.MaxUint64)
		if share < 1 {
			bound = uint64(share * (1 << 64))
		}
		low, keys = low[:0], keys[:0]
		for j := range before {
			if key := splitMix(base ^ uint64(j)); key <= bound {
				low, keys = append(low, int32(j)), append(keys, key)
			}
		}
		if len(keys) >= count {
			break
		}
		share *= 2
	}
	// Keys are all different: the hash of distinct positions is one to one.
	sorted := slices.Clone(keys)
	slices.Sort(sorted)
	kept := make([]int32, 0, capacity)
	for i, key := range keys {
		if len(kept) < count && key <= sorted[count-1] {
			kept = append(kept, low[i])
		}
	}
	return append(kept, span(before, l.Tokens)...)
}

// splitMix is the mixing step of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
func splitMix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
