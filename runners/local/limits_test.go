package local

import (
	"testing"

	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/engine"
)

// sociable is a card that makes so many rows alike whatever their company, with so many bytes free.
type sociable struct {
	engine.Device
	rows int
	free int64
}

func (d sociable) Name() string    { return "cuda:0" }
func (d sociable) Companions() int { return d.rows }

func (d sociable) Memory() engine.Memory {
	m := d.Device.Memory()
	m.Free = d.free
	return m
}

// What a card decodes together is what it says of its rows, and what its memory holds: four fifths of it for one engine,
// half of it shared out among several.
func TestCardsAreAsked(t *testing.T) {
	q := runners.Request{Prompt: ids(200, 1), Variants: runners.VariantsOf(variants(t, "full;snapkv(cap=64,w=8);snapkv(cap=96,w=8);snapkv(cap=128,w=8)")), MaxNew: 10}
	for _, c := range []struct {
		rows, inHand, engines int
		need                  float64 // of what is free, of the requests together
		want                  bool
	}{
		{8, 1, 1, 0, true}, {7, 1, 1, 0, false}, {64, 15, 1, 0, true}, {64, 16, 1, 0, false}, {256, 16, 1, 0, true},
		{256, 3, 1, 0.79, true}, {256, 3, 1, 0.81, false}, {256, 3, 2, 0.24, true}, {256, 3, 2, 0.26, false},
	} {
		d := sociable{newCPU(t), c.rows, 0}
		e := New(tinyOn(t, d), func([]int32) string { return "" })
		for range c.engines - 1 {
			e.memory.engines = append(e.memory.engines, e)
		}
		b := e.newBatch()
		for range c.inHand {
			if lacks, err := b.join(t.Context(), []*runners.Handed{{Request: q}}, false); lacks || err != nil {
				t.Fatal(lacks, err)
			}
		}
		if c.need > 0 {
			one, prefill, err := e.share(q)
			if err != nil {
				t.Fatal(err)
			}
			n := int64(c.inHand + 1)
			total := n*one.caches + max(prefill, n*one.decode)
			d.free = int64(float64(total)/c.need) - int64(c.inHand)*one.caches // the caches in hand are not free any more
			e.model = tinyOn(t, d)
		}
		if got := b.fits(nil, q); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
		e.memory.engines = e.memory.engines[:1]
		b.free()
	}
}
