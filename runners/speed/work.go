package speed

import (
	"fmt"

	"github.com/snapbench/snapbench/runners/models"
)

// Work estimates what each cell of a run takes, in seconds at the measured roofs. Real
// seconds are more, but in proportion: the share of the work that is done tells the time
// that the rest will take.
type Work struct {
	layers int // that a prefill computes
	cells  []Cell
	costs  []cost
}

// cost is a cell's work in seconds at the roofs.
type cost struct {
	prefill float64 // of one prompt
	prompts int     // that are read
	step    float64
}

func (c cost) total(steps int) float64 {
	return float64(c.prompts)*c.prefill + float64(steps)*c.step
}

// NewWork estimates cells of one model, all with the same Part.
func NewWork(m *models.Model, roofs Roofs, cells []Cell) *Work {
	w := &Work{layers: m.Layers, cells: cells}
	if n := cells[0].Part.Layers; n > 0 {
		w.layers = min(n, w.layers)
	}
	for _, cell := range cells {
		w.costs = append(w.costs, cell.cost(m, roofs))
	}
	return w
}

// cost estimates one cell. A cell that does not fit takes no time.
func (c Cell) cost(m *models.Model, roofs Roofs) cost {
	c, err := c.Largest(m)
	if err != nil {
		return cost{}
	}
	plan := c.Plan(m)
	if !plan.Fits() {
		return cost{}
	}
	products, attention := m.PrefillOperations(c.Length, c.Part)
	prompts := c.Batch
	if c.Prompts > 0 {
		prompts = min(c.Prompts, c.Batch)
	}
	return cost{
		prefill: products/roofs.Products + attention/roofs.Attention, prompts: prompts,
		step: float64(plan.Weights+plan.Caches+m.WrittenBytes(c.Batch)) / roofs.Bandwidth,
	}
}

// Cells returns the number of cells.
func (w *Work) Cells() int { return len(w.cells) }

// Seconds is cell i's work.
func (w *Work) Seconds(i int) float64 { return w.costs[i].total(w.cells[i].Warmup + w.cells[i].MaxNew) }

// Share is the part of cell i, 0 to 1, that is done at a step.
func (w *Work) Share(i int, s Step) float64 {
	c := w.costs[i]
	total := c.total(s.Max)
	if total <= 0 {
		return 0
	}
	return min(1, ((float64(s.Prompt-1)+s.Prefill)*c.prefill+float64(s.Decoded)*c.step)/total)
}

// Doing says where cell i is at a step: "2 × 16384 tokens, full: prompt 1 of 2, layer 3
// of 32 (8 %)".
func (w *Work) Doing(i int, s Step) string {
	if s.Decoded > 0 {
		return fmt.Sprintf("%s: step %d of %d", w.cells[i].name(), s.Decoded, s.Max)
	}
	layer := min(w.layers, int(s.Prefill*float64(w.layers))+1)
	return fmt.Sprintf("%s: prompt %d of %d, layer %d of %d (%.0f %%)", w.cells[i].name(), s.Prompt, s.Prompts, layer, w.layers, 100*s.Prefill)
}

// name is "2 × 16384 tokens, full".
func (c Cell) name() string {
	batch, length := fmt.Sprint(c.Batch), fmt.Sprintf("%d tokens", c.Length)
	if c.Batch == 0 {
		batch = "most"
	}
	if c.Length == 0 {
		length = "most tokens"
	}
	return fmt.Sprintf("%s × %s, %s", batch, length, c.Variant)
}
