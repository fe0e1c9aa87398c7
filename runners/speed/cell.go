package speed

import (
	"time"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners/models"
)

// Cell is one measurement: a batch of prompts of one length, read one by one and decoded
// together under one variant.
type Cell struct {
	Length  int // of each prompt, in tokens; 0: the longest that fits
	Batch   int // sequences; 0: the most that fit
	Variant compress.Variant
	MaxNew  int // decoding steps that are measured
	Warmup  int // decoding steps before those
	// Prompts is how many of the batch's sequences read a prompt of their own, 0 for
	// all. The other sequences get copies of these caches, in memory of their own, and
	// other tokens are fed to them.
	Prompts int
	Part    models.Part // the part of each prefill that is computed
	Limit   int64       // most bytes of the device to use; 0: all there are
}

// steps is the number of decoding steps, those of the warm-up included.
func (c Cell) steps() int { return c.Warmup + c.MaxNew }

// Speed is what a cell took. The device is synchronised after every prefill and step; an
// end token does not stop a sequence.
type Speed struct {
	Length, Batch, Prompts int // that ran
	Plan                   Footprint
	// Notes say where less ran than fits by the plan.
	Notes []string

	Prefill []time.Duration // of each prompt that was read
	Steps   []time.Duration
	Total   time.Duration // prompts, copies, warm-up and steps
	Weights int64         // bytes on the device
	Cache   int64         // bytes of the prompts' caches
	Peak    int64         // most bytes that the device had allocated
	Taken   int64         // bytes in use on the card at the end, by any process, as its driver counts; 0: not known
	// StepBytes is what the middle one of the measured steps must read: the weights
	// once, without those of experts that no token chooses
	// ([models.Model.IdleExpertBytes]), and every cache once.
	StepBytes int64
	// PrefillProducts and PrefillAttention are the operations of one prompt's prefill,
	// of the part that is computed. A multiply and add are two.
	PrefillProducts, PrefillAttention float64
}

// Step says how far a cell is.
type Step struct {
	Prompt, Prompts int     // the prompt that is read, from 1, and how many there are
	Prefill         float64 // share of this prompt's prefill that is done
	Decoded, Max    int     // decoding steps done, and how many there are
}
