package compress

import (
	"math/rand/v2"
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
)

// What policies built on scores keep is within what they say they will, whatever the
// scores, the prompt's length and the number of heads.
func TestExpectationsHold(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	pick := func(words ...string) List[string] { return List[string]{words[r.IntN(len(words))]} }
	for range 600 {
		heads, n, layers := 1+r.IntN(7), 12+r.IntN(60), 1+r.IntN(4)
		g := given{sinks: r.IntN(3), tail: 1 + r.IntN(4)}
		for range heads {
			row, scale := make([]float32, n-g.tail), r.ExpFloat64()
			for j := range row {
				row[j] = float32(scale * r.ExpFloat64())
				if r.IntN(4) == 0 {
					row[j] = 0.5 // ties
				}
			}
			g.rows = append(g.rows, row)
		}
		fixed := g.sinks + g.tail
		capacity := fixed + 1 + r.IntN(n-fixed)
		c := Capacity{capacity, float64(capacity)}
		if r.IntN(2) == 0 {
			c.Exact += min(r.Float64(), float64(n-capacity))
		}
		l := Layer{Index: r.IntN(layers), Layers: layers, Tokens: n, Attention: engine.Attention{Heads: engine.Heads{Query: heads, KV: heads, Size: 4}}}
		var s Scorer = g
		if r.IntN(2) == 0 {
			s = pyramid{s, pick(kvpress, factoryForm, ffy0Form), List[int]{1 + r.IntN(30)}}
		}
		var p Policy
		switch r.IntN(3) {
		case 0:
			p = ByScore(s)
		case 1:
			a := ada{s, pick(kvpress, factoryForm, ffy0Form), List[float64]{float64(r.IntN(21)) / 20}, List[string]{"off"}}
			if a.form[0] == factoryForm {
				a.normalize = pick("on", "off")
			}
			p = a
		case 2:
			p = chunkKV{Ranked{s}, List[int]{1 + r.IntN(25)}}
		}
		if chosenBy(t, p, l, c); t.Failed() {
			t.Fatalf("%#v, layer %d of %d, %d tokens, capacity %+v", p, l.Index, l.Layers, n, c)
		}
	}
}
