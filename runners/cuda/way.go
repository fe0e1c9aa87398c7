package cuda

import (
	"strings"

	"github.com/snapbench/snapbench/runners/cuda/card"
	"github.com/snapbench/snapbench/runners/engine"
)

// way is what a layer has beside its scale and window, which decides the kernels that it
// gets: kernels/way.h.
type way struct {
	device *Device
	suffix string // "", "_sinks" or "_cap"
	cap    float32
	sinks  uint64 // 0 for none
	heads  int
}

func (d *Device) way(operation string, by engine.Attention) way {
	w := way{device: d, cap: by.Cap, heads: by.Heads.Query}
	if by.Sinks.Len > 0 {
		same(operation, "sinks", by.Sinks.Len, by.Heads.Query)
		w.sinks, w.suffix = d.pointer(operation, by.Sinks, engine.Float32), "_sinks"
	}
	if by.Cap > 0 {
		w.suffix = "_cap"
	}
	return w
}

// kernel is the one for the way of those that a file of kernels/ makes.
func (w way) kernel(file, name string) *card.Kernel {
	if base, ok := strings.CutSuffix(file, "_sm90a"); ok {
		file = base + w.suffix + "_sm90a"
	} else {
		file += w.suffix
	}
	return w.device.card.Kernel(file, name+w.suffix)
}

// unsunk is the way for kernels that know nothing of sinks.
func (w way) unsunk() way {
	if w.cap == 0 {
		w.suffix = ""
	}
	return w
}

// add adds what the way's kernels take at their end.
func (w way) add(a *card.Args) {
	if w.suffix != "" {
		a.Float(w.cap).Ptr(w.sinks).Int(w.heads)
	}
}
