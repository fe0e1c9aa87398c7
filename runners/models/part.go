package models

import (
	"fmt"
	"time"

	"github.com/snapbench/snapbench/runners/engine"
)

// Part says how much of a prefill is computed. It is for measuring memory and
// decoding at sizes whose whole prefill would take too long. Every array and cache
// has its full size, but the answers are not the model's.
type Part struct {
	// Layers is the number of layers that are computed, 0 for all. The others choose
	// and gather from the keys and values of the last computed layer that has some. At least
	// [Config.LeastLayers] must be computed.
	Layers int
	// Attending is the number of the prompt's last tokens that attend, rounded up to
	// whole blocks, 0 for all. For the others, their queries replace the result of
	// attention; their keys and values are computed for the tokens that attend.
	Attending int
}

// layers returns the number of computed layers of a model with all layers.
func (p Part) layers(all int) int {
	if p.Layers == 0 {
		return all
	}
	return min(p.Layers, all)
}

// LeastLayers is the fewest first layers that a Part may compute: up to one in which policies choose. Before it, in models
// with layers of two kinds, there are no keys and values, or no queries, that a choice could be made by.
func (c Config) LeastLayers() int { return c.PolicyLayers()[0] + 1 }

// CheckPart refuses a part of a prefill with fewer layers.
func (c Config) CheckPart(p Part) error {
	least := c.LeastLayers()
	if p.Layers == 0 || p.Layers >= least {
		return nil
	}
	words, _ := c.fixedWords()
	return fmt.Errorf("%d layers of a prefill have %s, and caches are chosen by those with full attention, of which layer %d is the first: want at least %d layers",
		p.Layers, words, least-1, least)
}

// first returns the first of n tokens that attends. block is the tokens per block.
func (p Part) first(n, block int) int {
	if p.Attending == 0 || p.Attending >= n {
		return 0
	}
	return (n - p.Attending) / block * block
}

// watch reports progress.
type watch struct {
	tell  func(done, total int)
	total int
	told  time.Time
}

// report waits for the device once a second and then reports, so that it counts the
// work that the device has done, not the work that was queued.
func (w *watch) report(d engine.Device, done int) error {
	if w.tell == nil {
		return nil
	}
	if time.Since(w.told) >= time.Second {
		if err := d.Sync(); err != nil {
			return err
		}
		w.told = time.Now()
	} else if done < w.total {
		return nil
	}
	w.tell(done, w.total)
	return nil
}
