package models

import (
	"time"

	"github.com/snapbench/snapbench/runners/engine"
)

// Part says how much of a prefill is computed, for measuring memory and decoding
// at sizes whose whole prefill would take too long. Every array and every cache
// has the size that it has in a whole one; the answers are not the model's.
type Part struct {
	// Layers is how many layers are computed, 0 for all. The later ones choose and
	// gather from the keys and values of the last that was.
	Layers int
	// Attending is how many of the prompt's last tokens attend, 0 for all; it counts
	// in whole blocks. The others' queries go on in place of what they would have
	// attended to; their keys and values are there for those that attend.
	Attending int
}

// layers returns how many of a model's layers are computed.
func (p Part) layers(all int) int {
	if p.Layers == 0 {
		return all
	}
	return min(p.Layers, all)
}

// first returns the first of n tokens that attends, given the tokens of a block.
func (p Part) first(n, block int) int {
	if p.Attending == 0 || p.Attending >= n {
		return 0
	}
	return (n - p.Attending) / block * block
}

// watch tells of progress.
type watch struct {
	tell  func(done, total int)
	total int
	told  time.Time
}

// report waits for the device once a second, or what is told would be what was
// asked of it, not what it has done.
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
