package emulator

import "strings"

// The barrier of a cluster has phases. Every warp that has not exited goes through them in
// order, and arrives and waits in turn; so counting each warp's arrivals and waits is enough.

// clusterBarrier decodes barrier.cluster.arrive and wait.
func (d *decoder) clusterBarrier() {
	i := d.i
	switch strings.Join(without(d.parts[2:], "aligned"), ".") {
	case "arrive", "arrive.release", "arrive.relaxed":
		i.flow, i.exec = together, execClusterArrive
	case "wait", "wait.acquire":
		i.flow, i.exec = awaiting, execClusterWait
	default:
		d.err = errUnknown
		return
	}
	d.arity(0, 0)
}

func execClusterArrive(w *warp, i *instruction, mask uint32) {
	if w.arrived != w.awaited {
		w.fail(i, mask, "arrives at the cluster's barrier again without a wait")
		return
	}
	w.arrived++
	w.block.launch.changes++
}

func execClusterWait(w *warp, i *instruction, mask uint32) {
	if w.arrived == w.awaited {
		w.fail(i, mask, "waits at the cluster's barrier without having arrived")
		return
	}
	for _, b := range w.block.cluster.blocks {
		for _, other := range b.warps {
			if other.live != 0 && other.arrived < w.arrived {
				w.yielded = true
				return
			}
		}
	}
	w.awaited++
	w.block.launch.changes++
}
