package cuda

import (
	"fmt"
	"math"
	"testing"

	"github.com/snapbench/snapbench/runners/cuda/emulator"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/engine/cacheformat"
)

// ragged makes sequences of one layer without a card: their lengths matter, not the
// addresses.
func ragged(d *Device, h engine.Heads, room int, lengths ...[]int) []engine.Sequence {
	var s []engine.Sequence
	for _, lens := range lengths {
		c := engine.Cache{Len: lens, Size: h.Size, Room: room}
		rows := 0
		for _, n := range lens {
			c.Start = append(c.Start, rows)
			rows += n + room
		}
		array := func() engine.Array {
			return engine.Array{Type: d.kind, Len: rows * h.Size, Buffer: &buffer{address: 1 << 20, device: d}}
		}
		c.K, c.V = array(), array()
		s = append(s, engine.Sequence{Caches: []engine.Cache{c}, Position: lens[0]})
	}
	return s
}

func same32(lens, n int) []int {
	out := make([]int, lens)
	for i := range out {
		out[i] = n
	}
	return out
}

// TestLayOut reads the tables as the kernel does. At every length, each key of a query head
// is in exactly one item, no two items have the same place for their results, and the places
// are those that the head's part names.
func TestLayOut(t *testing.T) {
	d := &Device{kind: engine.BFloat16}
	const room = 70
	for _, h := range []engine.Heads{{Query: 1, KV: 1, Size: 64}, {Query: 32, KV: 8, Size: 128}, {Query: 24, KV: 2, Size: 64}} {
		s := ragged(d, h, room, same32(h.KV, 1), same32(h.KV, 700), same32(h.Query, 2040), same32(h.KV, 16384))
		var l layout
		l.layOut(d, ragged(d, h, room, same32(h.KV, 5000), same32(h.KV, 3)), 0, h, true) // nothing of it must stay
		l.layOut(d, s, 0, h, true)
		for i := 1; i < len(l.group); i++ {
			length := func(i batchItem) int {
				n := int(i.held) + 1
				return max(0, min(share(n).first(int(i.split)+1), n)-share(n).first(int(i.split)))
			}
			if length(l.group[i]) > length(l.group[i-1]) {
				t.Fatalf("%+v: item %d of %d keys comes behind one of %d", h, i, length(l.group[i]), length(l.group[i-1]))
			}
		}
		for _, now := range []int{0, 1, room / 2, room - 1} {
			taken := map[int32]bool{}           // places of partial results
			covered := map[int32]map[int]bool{} // by query head: firsts of its items
			for _, i := range l.group {
				length := int(i.held) + now + 1
				begin := share(length).first(int(i.split))
				if begin >= length {
					continue
				}
				if i.group > maxGroup {
					t.Fatalf("%+v: an item of %d query heads", h, i.group)
				}
				for g := range i.group {
					slot, query := i.slot+i.split*i.group+g, i.query+g
					if taken[slot] || int(slot) >= l.slots {
						t.Fatalf("%+v: place %d of %d is taken twice or not there", h, slot, l.slots)
					}
					taken[slot] = true
					if covered[query] == nil {
						covered[query] = map[int]bool{}
					}
					covered[query][begin] = true
				}
			}
			if len(l.parts) != len(s)*h.Query {
				t.Fatalf("%+v: %d parts for %d rows of %d query heads", h, len(l.parts), len(s), h.Query)
			}
			for _, p := range l.parts {
				length := int(p.held) + now + 1
				for split := range share(length).parts {
					if !covered[p.query][share(length).first(split)] || !taken[p.slot+int32(split)*p.stride] {
						t.Fatalf("%+v, step %d: query head %d of %d keys lacks split %d", h, now, p.query, length, split)
					}
				}
			}
		}
	}
}

// TestItems: as a head grows its number of items does not fall, and at every length its
// items have all its keys between them, each at least one.
func TestItems(t *testing.T) {
	before := 0
	for n := 1; n < 70000; n++ {
		s := share(n)
		if s.parts < before || s.parts > 65 || s.first(s.parts-1) >= n || s.first(s.parts) < n || s.more >= s.parts {
			t.Fatalf("%d keys: %+v (%d items for one key fewer)", n, s, before)
		}
		before = s.parts
	}
}

// BenchmarkLayOut is the host's work for a batch of a grid's 19 sequences, for one layer
// after the first.
func BenchmarkLayOut(b *testing.B) {
	d := &Device{kind: engine.BFloat16}
	for _, h := range []engine.Heads{llama2.heads, mistral.heads} {
		lengths := [][]int{same32(h.KV, 16384)}
		for range 6 {
			lengths = append(lengths, same32(h.KV, 512), same32(h.KV, 1024), same32(h.KV, 2048))
		}
		s := ragged(d, h, 64, lengths...)
		b.Run(fmt.Sprintf("heads%d-%d", h.Query, h.KV), func(b *testing.B) {
			var l layout
			for b.Loop() {
				l.layOut(d, s, 0, h, true)
			}
		})
	}
}

// TestCodesShared: the blocks of attend_codes.cu that a multiprocessor has at a time take no more than 196 KB of shared memory.
func TestCodesShared(t *testing.T) {
	module, err := emulator.Parse(must[string](t)(source("attend_codes", 9)))
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range []engine.Heads{{Query: 8, KV: 8, Size: 64}, {Query: 8, KV: 1, Size: 64}, {Query: 8, KV: 8, Size: 128}, {Query: 8, KV: 1, Size: 128}} {
		for _, f := range cacheformat.All() {
			d := &Device{kind: engine.BFloat16}
			if !d.hasCodeKernel(f, h.Size) {
				continue
			}
			l, _ := inFormat(t, d, h, f.Name)
			for _, c := range l.codes {
				dynamic := codeShared(c, h.Size)
				kernel, err := module.Kernel(c.kernel(h.Size))
				if err != nil {
					t.Fatal(err)
				}
				blocks := codeResident(codeTable{codeChoice: c.codeChoice, shared: dynamic}, h.Size)
				if total := blocks * (dynamic + kernel.Shared() + 1<<10); total > 196<<10 {
					t.Errorf("%s: %d blocks have %d bytes", c.kernel(h.Size), blocks, total)
				}
			}
		}
	}
}

// TestLayCodes: at every length each key of a query head whose cache holds codes is in exactly one item
// of attend_codes.cu, and no two items have the same place for their results.
func TestLayCodes(t *testing.T) {
	for _, h := range []engine.Heads{{Query: 32, KV: 8, Size: 128}, {Query: 24, KV: 2, Size: 64}} {
		l, rows := inFormat(t, &Device{kind: engine.BFloat16}, h, "q4_0")
		everyKeyOnce(t, h, l.slots, rows, l.codeParts, codeParts, codeUnit, func(item func(query, group, held, slot, split int32)) {
			for _, list := range l.codes {
				for _, i := range list.items {
					if list.few != (i.group <= 4) || i.group > maxGroup {
						t.Fatalf("%+v: an item of %d query heads, few: %t", h, i.group, list.few)
					}
					item(i.query, i.group, i.held, i.slot, i.split)
				}
			}
		})
	}
	for n, before := 1, 0; n < 70000; n++ {
		parts := codeParts(n)
		if units := blocks(n, codeUnit); parts < before || parts > units {
			t.Fatalf("%d keys: %d items of %d units (%d for one key fewer)", n, parts, units, before)
		}
		before = parts
	}
}

// TestLayPacks: the same of the items of attend_packed.cu.
func TestLayPacks(t *testing.T) {
	for _, h := range []engine.Heads{{Query: 32, KV: 8, Size: 128}, {Query: 22, KV: 2, Size: 96}} {
		l, rows := inFormat(t, &Device{kind: engine.Float32}, h, "kivi2")
		everyKeyOnce(t, h, l.slots, rows, l.packParts, packParts, packUnit, func(item func(query, group, held, slot, split int32)) {
			for _, list := range l.packs {
				for _, i := range list.items {
					head := l.cached[i.cached]
					if int(head.count) > list.queries {
						t.Fatalf("%+v: an item of %d query heads for a kernel of %d", h, head.count, list.queries)
					}
					item(head.query, head.count, head.held, head.slot, i.split)
				}
			}
		})
	}
}

// layRoom is how many tokens the caches of inFormat have room for beyond what they hold.
const layRoom = 70

// inFormat lays out so many sequences whose caches, of several lengths, hold codes of a format.
func inFormat(t *testing.T, d *Device, h engine.Heads, name string) (l layout, rows int) {
	format, err := cacheformat.Get(name)
	if err != nil {
		t.Fatal(err)
	}
	s := ragged(d, h, layRoom, same32(h.KV, 1), same32(h.KV, 2000), same32(h.Query, 700), same32(h.KV, 9000))
	for i := range s {
		c := &s[i].Caches[0]
		packed, keys, values, _ := c.Pack(format, nil, layRoom)
		packed.K = engine.Array{Type: engine.Uint8, Len: keys, Buffer: &buffer{address: 1 << 20, device: d}}
		packed.V = engine.Array{Type: engine.Uint8, Len: values, Buffer: &buffer{address: 1 << 30, device: d}}
		*c = packed
	}
	l.layOut(d, s, 0, h, true)
	return l, len(s)
}

// everyKeyOnce goes through items, each of some query heads' share of their keys, as often as there are lengths to try.
func everyKeyOnce(t *testing.T, h engine.Heads, slots, rows int, of []batchPart, parts func(length int) int, unit int, items func(func(query, group, held, slot, split int32))) {
	t.Helper()
	for _, now := range []int{0, layRoom - 1} {
		taken, keys := map[int32]bool{}, map[int32]int{}
		items(func(query, group, held, slot, split int32) {
			length := int(held) + now + 1
			shares, units := parts(length), blocks(length, unit)
			first := func(split int) int { return (split*(units/shares) + min(split, units%shares)) * unit }
			begin, end := first(int(split)), min(first(int(split)+1), length)
			if begin >= length {
				return
			}
			for g := range group {
				place := slot + split*group + g
				if taken[place] || int(place) >= slots {
					t.Fatalf("%+v: place %d of %d is taken twice or not there", h, place, slots)
				}
				taken[place] = true
				keys[query+g] += end - begin
			}
		})
		if len(of) != rows*h.Query {
			t.Fatalf("%+v: %d parts for %d rows", h, len(of), rows)
		}
		for _, p := range of {
			length := int(p.held) + now + 1
			if keys[p.query] != length {
				t.Errorf("%+v: query head %d has %d of %d keys", h, p.query, keys[p.query], length)
			}
			for split := range parts(length) {
				if !taken[p.slot+int32(split)*p.stride] {
					t.Errorf("%+v: query head %d lacks split %d", h, p.query, split)
				}
			}
		}
	}
}

// TestRoundLevels: TurboQuant's levels keep their proportions, and are within 2^-13 of float16, which rounds by up to 2^-11.
func TestRoundLevels(t *testing.T) {
	for _, name := range []string{"tq_4bit_nc", "tq_3bit_nc"} {
		f, err := cacheformat.Get(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, size := range []int{64, 128} {
			levels := specOf(f, size).levels
			rounded := roundLevels(levels)
			for k, v := range rounded {
				half := []float32{0}
				bytes := make([]byte, 2)
				if err := cacheformat.Half.Key.Encode(bytes, []float32{v}, 1, 0); err != nil {
					t.Fatal(err)
				}
				cacheformat.Half.Key.Decode(half, bytes, 1, 0)
				if off := math.Abs(float64(half[0] - v)); off > 0x1p-13*float64(v) {
					t.Errorf("%s, heads of %d: level %d is %v, in float16 %v", name, size, k, v, half[0])
				}
				if off := math.Abs(float64(v)*float64(levels[0]) - float64(levels[k])*float64(rounded[0])); off > 0x1p-22*float64(v) {
					t.Errorf("%s, heads of %d: level %d is %v, the first %v, of %v and %v", name, size, k, v, rounded[0], levels[k], levels[0])
				}
			}
		}
	}
}
