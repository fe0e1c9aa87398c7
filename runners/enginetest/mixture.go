package enginetest

import (
	"fmt"

	"github.com/snapbench/snapbench/runners/engine"
)

func mixture(b *bench) {
	mixtureOf(b, 5, 96, []int{1, 2, 5}, []int{1, 2, 8, 33, 129, 900})
	mixtureOf(b, 40, 32, []int{3}, []int{1, 7, 33}) // more experts than a word has bits
}

func mixtureOf(b *bench, experts, ff int, perTokens, rows []int) {
	const width = 64
	router := b.weight([]engine.Stored{b.matrix(engine.F32, experts, width)}, nil)
	var gateUp, down []weightPair
	for range experts {
		gateUp = append(gateUp, b.weight([]engine.Stored{b.matrix(engine.F32, ff, width), b.matrix(engine.Q8_0, ff, width)}, nil))
		down = append(down, b.weight([]engine.Stored{b.matrix(engine.BF16, width, ff)}, nil))
	}
	on := func(d engine.Device, perToken int, a engine.Activation) engine.Experts {
		e := engine.Experts{Router: b.on(d, router), PerToken: perToken, Activation: a}
		for i := range gateUp {
			e.GateUp, e.Down = append(e.GateUp, b.on(d, gateUp[i])), append(e.Down, b.on(d, down[i]))
		}
		return e
	}
	for i, perToken := range perTokens {
		for j, m := range rows {
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
