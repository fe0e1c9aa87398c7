package observe_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/models"
	"github.com/snapbench/snapbench/runners/modeltest"
	"github.com/snapbench/snapbench/runners/observe"
)

// BenchmarkRun observes a prompt on a card, 128 tokens of forced text and four variants, beside the same run without: a
// prefill with the variants and the full cache, and 128 steps.
//
// What is expected of an H200, with 32 layers, 32 heads over 8, 20 windows of 128 rows. 16K: prefill 0.78 s and steps of
// 4.4 ms, 1.35 s. A window's products are 128 · 16K · 32 · 256 = 17·10⁹ operations, done twice; windows one by one are a
// tile a head in the first pass, 32 of 132 multiprocessors, 0.12 to 0.25 ms, and so 0.15 s in all. The forced text's rows,
// 268 MB a layer, are written twice and read eight times, 0.6 ms and so 0.02 s, with the highest attentions of four
// capacities 0.06 s. 15 numbers a head and position leave, 31 MB a layer, 1 GB through a staging buffer at 8 GB/s, 0.12 s;
// the host counts meanwhile. In all 0.35 to 0.4 s, 1.3 times the run without. 128K: 9.5 s and steps of 8.3 ms, 10.6 s without;
// eight times 0.37 s more, 1.28 times; 37 GiB: 15 of weights, 16 of the full cache, 2 of the prefill's arrays, 0.6 of
// queries, 1.2 for a layer. docs/observe.md has what was measured, and what of this was wrong.
func BenchmarkRun(b *testing.B) {
	d := modeltest.CUDA(b, engine.BFloat16)
	files, err := models.OpenShape("llama-3-8b")
	if err != nil {
		b.Fatal(err)
	}
	defer files.Close()
	m, err := models.Load(d, files, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	const tokens = 128
	variants, err := compress.ParseAll("snapkv(cap=1024,w=32,k=7);snapkv(cap=2048,w=32,k=7);snapkv(cap=1024,w=32,k=1,gqa=query_head);streaming(cap=1024)")
	if err != nil {
		b.Fatal(err)
	}
	ctx := context.Background()
	for _, n := range []int{4096, 16384, 131072} {
		ids := make([]int32, n)
		for i := range ids {
			ids[i] = int32((i*i*7 + 3*i) % m.Vocab)
		}
		without := func() error {
			done, err := m.Prefill(ctx, models.Prompt{IDs: ids, Variants: append([]compress.Variant{compress.Full}, variants...), Room: tokens})
			if err != nil {
				return err
			}
			defer done.Free()
			decoder, err := m.NewDecoder(done.Sequences[:1])
			if err != nil {
				return err
			}
			defer decoder.Close()
			next := []int32{models.Greedy(done.Logits)}
			for range tokens {
				if next, err = decoder.Step(next); err != nil {
					return err
				}
			}
			return nil
		}
		observed := func() error {
			_, err := observe.Run(ctx, m, observe.Paper, observe.Question{Prompt: ids, Tokens: tokens, Variants: variants})
			return err
		}
		mean := map[string]float64{}
		for _, c := range []struct {
			name string
			do   func() error
		}{{"without", without}, {"observed", observed}} {
			b.Run(fmt.Sprintf("n%d/%s", n, c.name), func(b *testing.B) {
				d.ResetPeak()
				start := time.Now()
				for range b.N {
					if err := c.do(); err != nil {
						b.Fatal(err)
					}
				}
				mean[c.name] = time.Since(start).Seconds() / float64(b.N)
				b.ReportMetric(mean[c.name], "s")
				b.ReportMetric(float64(d.Memory().Peak)/(1<<30), "GiB")
				if c.name == "observed" {
					b.ReportMetric(mean[c.name]/mean["without"], "of-without")
				}
			})
		}
	}
}
