package enginetest

import (
	"fmt"

	"github.com/snapbench/snapbench/runners/engine"
)

func mixture(b *bench) {
	mixtureOf(b, mixtureCase{experts: 5, ff: 96, perTokens: []int{1, 2, 5}, rows: []int{1, 2, 8, 33, 129, 900}})
	mixtureOf(b, mixtureCase{experts: 40, ff: 32, perTokens: []int{3}, rows: []int{1, 7, 33, 65}})
	mixtureOf(b, mixtureCase{experts: 5, ff: 96, perTokens: []int{2}, rows: []int{1, 33, 129}, shares: engine.SharesOfAll, routed: true})
	mixtureOf(b, mixtureCase{experts: 130, ff: 32, perTokens: []int{1, 8}, rows: []int{1, 9, 64, 65}, shares: engine.SharesOfAll})
	mixtureOf(b, mixtureCase{experts: 20, ff: 32, perTokens: []int{4}, rows: []int{1, 9, 65}, routed: true, biased: true})
	mixtureOf(b, mixtureCase{experts: 3, ff: 32, perTokens: []int{2}, rows: []int{1, 9, 65}, biased: true})
	for _, s := range []engine.Storage{engine.MXFP4, engine.E4M3} {
		packed := []engine.Storage{s, s, s}
		mixtureOf(b, mixtureCase{experts: 6, ff: 96, perTokens: []int{4}, rows: []int{1, 9, 66, 300}, routed: true, biased: true, storages: packed})
		mixtureOf(b, mixtureCase{experts: 18, ff: 64, perTokens: []int{3}, rows: []int{9, 65, 1}, storages: packed})
		mixtureOf(b, mixtureCase{experts: 4, ff: 64, perTokens: []int{2}, rows: []int{3, 70}, storages: []engine.Storage{s, s, engine.BF16}})
	}

	// Whole blocks of 256 are wider than these experts: groups of 32 stand for them.
	for _, s := range []engine.Storage{engine.Q8_0, engine.Q4_0, engine.Q5_1} {
		mixtureOf(b, mixtureCase{experts: 6, ff: 96, perTokens: []int{4}, rows: []int{1, 9, 66}, routed: true, biased: true, storages: []engine.Storage{s, s, engine.Q8_0}})
	}
	mixtureOf(b, mixtureCase{experts: 4, ff: 64, perTokens: []int{2}, rows: []int{3, 70}, storages: []engine.Storage{engine.Q4_1, engine.Q5_0, engine.Q8_0}})
}

type mixtureCase struct {
	experts, ff     int
	perTokens, rows []int
	shares          engine.Shares
	routed, biased  bool             // the router, the experts have biases
	storages        []engine.Storage // of gate, up and down; nil: of several kinds
}

func mixtureOf(b *bench, c mixtureCase) {
	const width = 64
	experts, ff := c.experts, c.ff
	bias := func(has bool, sizes ...int) (v []engine.Stored) {
		for _, n := range sizes {
			if has {
				v = append(v, b.matrix(engine.F32, 1, n))
			}
		}
		return v
	}
	router := b.weight([]engine.Stored{b.matrix(engine.F32, experts, width)}, bias(c.routed, experts))
	storages := c.storages
	if storages == nil {
		storages = []engine.Storage{engine.F32, engine.Q8_0, engine.BF16}
	}
	var gateUp, down []weightPair
	for range experts {
		gateUp = append(gateUp, b.weight([]engine.Stored{b.matrix(storages[0], ff, width), b.matrix(storages[1], ff, width)}, bias(c.biased, ff, ff)))
		down = append(down, b.weight([]engine.Stored{b.matrix(storages[2], width, ff)}, bias(c.biased, width)))
	}
	on := func(d engine.Device, perToken int, a engine.Activation) engine.Experts {
		e := engine.Experts{Router: b.on(d, router), PerToken: perToken, Shares: c.shares, Activation: a}
		for i := range gateUp {
			e.GateUp, e.Down = append(e.GateUp, b.on(d, gateUp[i])), append(e.Down, b.on(d, down[i]))
		}
		return e
	}
	for i, perToken := range c.perTokens {
		for j, m := range c.rows {
			a := activations[(i+j)%len(activations)]
			if m > 129 && !b.affords(3*m*perToken*ff*width) {
				continue
			}
			x := b.in(b.normal(m * width))
			if m == 2 {
				b.dev.Put(x.dev, make([]float32, m*width)) // all logits equal: the lowest indices
				b.ref.Put(x.ref, make([]float32, m*width))
				x.input = make([]float32, m*width)
			}
			dst := b.in(b.normal(m * width))
			dst.input = nil
			b.both(func(d engine.Device, at func(*pair) engine.Array) { d.MixtureAdd(at(dst), at(x), on(d, perToken, a)) })
			b.check(fmt.Sprintf("%v, %d rows, %d of %d experts each", a.Kind, m, perToken, experts), dst, m*width, width)
			b.release()
		}
	}
}
