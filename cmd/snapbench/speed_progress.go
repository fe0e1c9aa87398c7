package main

import (
	"fmt"

	"github.com/snapbench/snapbench/runners/models"
	"github.com/snapbench/snapbench/runners/speed"
)

// cellProgress tells where speed is: cell, prompt, layer, step. What is ahead is
// counted in seconds at the measured roofs; what was done so far tells how many
// real ones they are.
type cellProgress struct {
	*progress
	layers int
	cells  []speed.Cell
	costs  []cellCost
}

// cellCost is a cell's work in seconds at the roofs.
type cellCost struct {
	prefill float64 // of one prompt
	prompts int
	step    float64
}

func (c cellCost) total(steps int) float64 {
	return float64(c.prompts)*c.prefill + float64(steps)*c.step
}

func newCellProgress(p *progress, m *models.Model, roofs speed.Roofs, cells []speed.Cell) *cellProgress {
	c := &cellProgress{progress: p, layers: m.Layers, cells: cells}
	if k := cells[0].Part.Layers; k > 0 {
		c.layers = min(k, c.layers)
	}
	p.count, p.share = len(cells), map[string]float64{}
	p.size = map[string]float64{}
	for i, cell := range cells {
		cost := cellCost{}
		// One that does not fit takes no time.
		if full, err := cell.Largest(m); err == nil && full.Plan(m).Fits() {
			products, attention := m.PrefillOperations(full.Length, cell.Part)
			cost.prefill, cost.prompts = products/roofs.Products+attention/roofs.Attention, full.Batch
			if cell.Prompts > 0 {
				cost.prompts = min(cell.Prompts, full.Batch)
			}
			plan := full.Plan(m)
			cost.step = float64(plan.Weights+plan.Caches) / roofs.Bandwidth
		}
		c.costs = append(c.costs, cost)
		p.size[c.name(i)] = cost.total(cell.Warmup + cell.MaxNew)
		p.total += p.size[c.name(i)]
	}
	p.begin()
	return c
}

func (c *cellProgress) name(i int) string { return fmt.Sprint(i) }

// within reports a cell's own progress.
func (c *cellProgress) within(i int) func(speed.Step) {
	return func(s speed.Step) {
		cost, cell := c.costs[i], c.cells[i]
		done := (float64(s.Prompt-1)+s.Prefill)*cost.prefill + float64(s.Decoded)*cost.step
		c.mu.Lock()
		defer c.mu.Unlock()
		if total := cost.total(s.Max); total > 0 {
			c.share[c.name(i)] = max(c.share[c.name(i)], min(1, done/total))
		}
		c.show(fmt.Sprintf("%s: %s", cellName(cell), c.doing(s)))
	}
}

// doing says what a step is about: "prompt 1 of 2, layer 3 of 32".
func (c *cellProgress) doing(s speed.Step) string {
	if s.Decoded > 0 {
		return fmt.Sprintf("step %d of %d", s.Decoded, s.Max)
	}
	layer := min(c.layers, int(s.Prefill*float64(c.layers))+1)
	return fmt.Sprintf("prompt %d of %d, layer %d of %d (%.0f %%)", s.Prompt, s.Prompts, layer, c.layers, 100*s.Prefill)
}

// finishedCell counts a cell.
func (c *cellProgress) finishedCell(i int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done += c.size[c.name(i)]
	delete(c.share, c.name(i))
	c.ready++
}

// cellName is "2 × 16384 tokens, full".
func cellName(c speed.Cell) string {
	batch, length := fmt.Sprint(c.Batch), fmt.Sprintf("%d tokens", c.Length)
	if c.Batch == 0 {
		batch = "most"
	}
	if c.Length == 0 {
		length = "most tokens"
	}
	return fmt.Sprintf("%s × %s, %s", batch, length, c.Variant)
}
