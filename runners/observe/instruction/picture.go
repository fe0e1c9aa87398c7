package instruction

import (
	"fmt"
	"math"

	"github.com/snapbench/snapbench/plots"
)

// Figures draws both parts of the study by layer.
func (r *Report) Figures() []plots.Figure {
	contexts := "one context"
	if n := len(r.seen()); n > 1 {
		contexts = fmt.Sprintf("mean of %d contexts", n)
	}
	about := fmt.Sprintf("%s, %s, %d tokens of greedy response", r.Subject(), contexts, r.Settings.Response)
	chance := column{"chance", nil, 0}
	return []plots.Figure{
		plots.Lines("observe_instruction", "What two questions about one context have in common",
			about+". After arXiv 2404.14469v2 §4.2, Fig. 4", "Layer", "In common (%)", r.points(append(r.overlaps(), chance))),
		plots.Lines("observe_place", "Does the prompt's last window show what the response attends to?",
			fmt.Sprintf("%s. After arXiv 2404.14469v2 §4.2, Fig. 5; points of fewer than %d attentions are left out", about, few), "Layer", "Hit rate (%)", r.points(r.hits())),
	}
}

// points has a line for each column, of which one without a rate is chance.
func (r *Report) points(columns []column) (list []plots.Point) {
	for _, c := range columns {
		for layer := range r.layers() {
			y := 100 * r.chance()
			if c.of != nil {
				iv := r.over(layer, c.least, c.of)
				if math.IsNaN(iv.Mean) {
					continue
				}
				y = 100 * iv.Mean
			}
			list = append(list, plots.Point{Series: c.name, X: float64(layer), Y: y, Lo: y, Hi: y})
		}
	}
	return list
}
