package cuda

import (
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
)

// BenchmarkMixtureStep is a sparse layer of a step of one row, at the shapes of Qwen3-30B-A3B and gpt-oss-20b, layers one
// after the other in one graph: "one" with the kernels for one row, which join gate and up and add up what experts give
// (mixture_gate.cu, mixture_down.cu), "several" with those that serve several rows. µs a layer; GB/s of the bytes of the chosen experts and
// the router, and what share of a copy's rate in the same run that is.
func BenchmarkMixtureStep(b *testing.B) {
	for _, c := range []struct {
		name                         string
		storage                      engine.Storage
		experts, perToken, width, ff int
		layers                       int
	}{
		{"Qwen3-30B-A3B", engine.E4M3, 128, 8, 2048, 768, 6},
		{"Qwen3-30B-A3B", engine.BF16, 128, 8, 2048, 768, 6},
		{"gpt-oss-20b", engine.MXFP4, 32, 4, 2880, 2880, 12},
	} {
		d := open(b, engine.BFloat16)
		rate := copyRate(b, d)
		benchMixture(b, d, c.name, c.storage, c.experts, c.perToken, c.width, c.ff, c.layers, rate)
		if err := d.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func benchMixture(b *testing.B, d *Device, name string, s engine.Storage, experts, perToken, width, ff, layers int, rate float64) {
	load := func(rows, cols int) engine.Weight {
		return must[engine.Weight](b)(d.LoadWeight([]engine.Stored{repeatedIn(s, rows, cols)}, nil))
	}
	var all []engine.Experts
	bytes := 0.0
	for i := range layers {
		router := must[engine.Weight](b)(d.LoadWeight([]engine.Stored{random{"router", experts, width, uint64(i+1) << 40}}, nil))
		e := engine.Experts{Router: router, PerToken: perToken}
		for range experts {
			e.GateUp, e.Down = append(e.GateUp, load(2*ff, width)), append(e.Down, load(width, ff))
		}
		bytes += float64(router.Bytes()) + float64(perToken)*float64(e.GateUp[0].Bytes()+e.Down[0].Bytes())
		all = append(all, e)
	}
	m := &decoder{d: d, b: b}
	x, dst := m.new(d.kind, width), m.new(d.kind, width)
	defer d.Free(x, dst)
	m.noise(x, 1<<40)
	for _, way := range []struct {
		name  string
		apart bool
	}{{"one", false}, {"several", true}} {
		d.rowsApart = way.apart
		b.Run(name+"/"+s.String()+"/"+way.name, func(b *testing.B) {
			ms := measure(b, d, captured(b, d, func() {
				for _, e := range all {
					d.MixtureAdd(dst, x, e)
				}
			}))
			b.ReportMetric(1000*ms/float64(layers), "µs/layer")
			b.ReportMetric(bytes/ms/1e6, "GB/s")
			b.ReportMetric(100*bytes/ms/1e6/rate, "%-of-copy")
		})
	}
}
