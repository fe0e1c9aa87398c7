package speed

import (
	"errors"
	"fmt"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/models"
)

// Footprint is what a cell needs on the device by its plan, and what is free, in bytes.
// Prefill and Decode are never needed at the same time.
type Footprint struct {
	Weights int64 `json:"weight_bytes"`
	Prefill int64 `json:"prefill_bytes"` // hidden states, one layer's keys and values, scores, scratch of one prompt
	Caches  int64 `json:"cache_bytes"`   // of all sequences, with room for new tokens
	Decode  int64 `json:"decode_bytes"`  // scratch of the decoding rows
	Free    int64 `json:"free_bytes"`    // for everything except the weights; 0 where no limit is known
}

// Need is the most that is needed at any time, the weights excepted.
func (f Footprint) Need() int64 { return f.Caches + max(f.Prefill, f.Decode) }

// Fits says whether that is free. Where no limit is known, it is taken to be.
func (f Footprint) Fits() bool { return f.Free <= 0 || f.Need() <= f.Free }

// DoesNotFit says what a cell would have needed.
type DoesNotFit struct {
	Plan Footprint
	// Need and Free are the plan's, or those of the allocation that failed.
	Need, Free int64
	// Allocating says that the plan fits, and an allocation failed all the same.
	Allocating bool
	held       int // sequences that were in memory then
}

func (e *DoesNotFit) Error() string {
	what := "does not fit: needs"
	if e.Allocating {
		what = "fits by the plan, but an allocation failed: it needs"
	}
	return fmt.Sprintf("%s %s, %s free", what, engine.Bytes(e.Need), engine.Bytes(e.Free))
}

// ErrNoLimit says that the largest size that fits cannot be found.
var ErrNoLimit = errors.New("no limit of memory is known")

// Free returns a device's free bytes, and of these at most what is left of limit where
// limit is not 0. It returns 0 where no limit is known.
func Free(d engine.Device, limit int64) int64 {
	m := d.Memory()
	if limit <= 0 {
		return m.Free
	}
	left := max(1, limit-m.InUse)
	if m.Free > 0 {
		left = min(left, m.Free)
	}
	return left
}

// Plan returns what a cell needs whose length and batch are given.
func (c Cell) Plan(m *models.Model) Footprint { return c.footprint(m, Free(m.Device(), c.Limit)) }

func (c Cell) footprint(m *models.Model, free int64) Footprint {
	p := m.Plan([]compress.Variant{c.Variant}, c.Length, c.steps(), false).Of(c.Batch)
	f := Footprint{Weights: m.Device().Memory().Weights, Prefill: p.Prefill, Decode: p.Decode, Free: free}
	for _, b := range p.Caches {
		f.Caches += b
	}
	return f
}

// LengthGrain is the number of tokens that lengths which are searched for are multiples of.
const LengthGrain = 1024

// Largest replaces a batch or a length of 0 by the largest that fits by the plan, for a
// length in multiples of LengthGrain. It returns *DoesNotFit where not even the smallest
// does, and ErrNoLimit where no limit of memory is known.
func (c Cell) Largest(m *models.Model) (Cell, error) {
	if c.Length > 0 && c.Batch > 0 {
		return c, nil
	}
	free := Free(m.Device(), c.Limit)
	if free <= 0 {
		return c, ErrNoLimit
	}
	if c.Length <= 0 && c.Batch <= 0 {
		return c, errors.New("the largest batch of the longest prompts: one of the two must be given")
	}
	size, grain, most := &c.Batch, 1, 1<<20
	if c.Length <= 0 {
		size, grain, most = &c.Length, LengthGrain, 1<<30
	}
	fits := func(n int) bool {
		*size = n * grain
		return c.footprint(m, free).Fits()
	}
	if !fits(1) {
		f := c.footprint(m, free)
		return c, &DoesNotFit{Plan: f, Need: f.Need(), Free: free}
	}
	low, high := 1, 2 // low fits, high may
	for high*grain <= most && fits(high) {
		low, high = high, 2*high
	}
	for low+1 < high {
		if mid := (low + high) / 2; fits(mid) {
			low = mid
		} else {
			high = mid
		}
	}
	*size = low * grain
	return c, nil
}
