package cuda

import (
	"github.com/snapbench/snapbench/runners/cuda/card"
	"github.com/snapbench/snapbench/runners/engine"
)

// recording is a step as a CUDA graph.
type recording struct {
	graph    *card.Graph
	advances int // how often the step advances its batch
}

var _ engine.Stepper = (*Device)(nil)

// Replay runs the step as it is the first time, which loads the kernels that it needs. The
// second time it records the step as a CUDA graph; from then on it launches the graph.
func (d *Device) Replay(eb engine.Batch, step func()) {
	b := d.batch("Replay", eb)
	b.replays++
	if b.replays == 1 {
		d.Step(step)
		return
	}
	d.stepping = true
	defer func() { d.stepping = false }()
	ok := d.card.Enter("Replay")
	defer d.card.Leave()
	if !ok {
		return
	}
	if b.graph == nil && !d.record(b, step) {
		return
	}
	if b.advances > 0 {
		b.checkRoom("Replay")
	}
	b.graph.Launch()
	b.steps += b.advances
}

// Step runs the step as it is.
func (d *Device) Step(step func()) {
	d.stepping = true
	defer func() { d.stepping = false }()
	step()
}

// record captures what step launches.
func (d *Device) record(b *batch, step func()) bool {
	r := &recording{}
	d.recording = r
	defer func() { d.recording = nil }()
	if r.graph = d.card.Capture(step); r.graph == nil {
		return false
	}
	b.recording = *r
	return true
}
