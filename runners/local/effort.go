package local

import (
	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/models"
)

// machine is a rough idea of a device: operations a second of a prompt's products and of a step's, whose rows are few, and
// bytes a second. It is needed until something is measured, and says beyond that how samples compare.
type machine struct{ prompt, step, bytes float64 }

var (
	hostMachine = machine{150e9, 150e9, 15e9} // two cores
	cardMachine = machine{600e12, 300e12, 4e12}
)

// Effort estimates what a request costs beside others of its kind: its prompt's operations, and the bytes that its rows'
// steps read, of the weights only its share.
func (e *Engine) Effort(tokens, most int, variants []runners.Variant, twice bool) runners.Effort {
	policies, err := policiesOf(variants)
	if err != nil {
		return runners.Effort{Reading: float64(tokens)} // Check reports it
	}
	d := e.model.Device()
	on := cardMachine
	if engine.OnHost(d.Name()) {
		on = hostMachine
	}
	products, attention := e.model.PrefillOperations(tokens, models.Part{})
	plan := e.model.Plan(policies, tokens, most, twice)
	caches := int64(0)
	for _, c := range plan.Caches {
		caches += c
	}
	rows := len(policies)
	if twice {
		rows *= 2
	}
	limits, memory := LimitsOf(d), d.Memory()
	together := min(limits.Rows/max(1, rows), limits.Tokens/max(1, tokens))
	if free := memory.Free; free > 0 {
		together = min(together, int(Usable(d.Name(), free, len(e.memory.engines))/max(1, caches)))
	}
	step := (float64(memory.Weights)/float64(max(1, together))+float64(caches))/on.bytes + 2*float64(rows)*float64(e.model.Parameters())/on.step
	return runners.Effort{Reading: (products + attention) / on.prompt, Decoding: float64(most) * step}
}
