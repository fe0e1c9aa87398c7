package modeltest

import (
	"fmt"

	"github.com/snapbench/snapbench/runners/engine"
)

// states compares the states behind the prompt of layers with linear attention.
func (c *checker) states(caches []engine.Cache) {
	c.t.Helper()
	for l, cache := range caches {
		if !c.m.Linear.Has(l) {
			continue
		}
		c.close(fmt.Sprintf("recurrent_state.%d", l), c.read(cache.State.S), c.floats(fmt.Sprintf("recurrent_state.%d", l)))
		// Recorded by channel, and of one token more than a convolution needs.
		recorded := c.floats(fmt.Sprintf("conv_state.%d", l))
		kernel := c.m.Linear.Kernel
		channels, width := cache.State.Conv.Len/(kernel-1), len(recorded)*(kernel-1)/cache.State.Conv.Len
		var want []float32
		for t := width - kernel + 1; t < width; t++ {
			for x := range channels {
				want = append(want, recorded[x*width+t])
			}
		}
		c.close(fmt.Sprintf("conv_state.%d", l), c.read(cache.State.Conv), want)
		c.counts.tensors += 2
	}
}
