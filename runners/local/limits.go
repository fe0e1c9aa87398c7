package local

import (
	"github.com/snapbench/snapbench/runners/engine"
)

// Limits bound what is decoded together. A single request is always allowed.
type Limits struct {
	Rows      int   // of a decoding step
	OnePrompt int   // likewise, where all rows come of one prompt
	Tokens    int   // of prompts
	Memory    int64 // bytes besides the weights; 0: not known
}

// Held is what requests hold together, or are planned to.
type Held struct {
	Rows, Tokens            int
	Caches, Decode, Prefill int64 // bytes; Prefill is the next request's alone
}

// Allow says whether so much may be decoded together.
func (l Limits) Allow(h Held) bool {
	return h.Rows <= l.Rows && h.Tokens <= l.Tokens && (l.Memory == 0 || h.Caches+max(h.Prefill, h.Decode) <= l.Memory)
}

// What a CPU decodes together: so many rows that reading the weights costs little for each. To read a prompt again costs
// more than wide steps do.
const (
	rowsTogether    = 32
	rowsOfOnePrompt = 256
)

// What is in hand is lost if the run is killed before the answers are written: prompts that are read in some seconds.
const (
	tokensTogether    = 2 << 10 // on a CPU
	tokensTogetherGPU = 512 << 10
)

// mostRows bounds the rows of a step on a device that names no number.
const mostRows = 1 << 10

// LimitsOf returns a device's limits, without its memory. On a card rows are as many as the device says that a step should
// have.
func LimitsOf(d engine.Device) Limits {
	if engine.OnHost(d.Name()) {
		return Limits{Rows: rowsTogether, OnePrompt: rowsOfOnePrompt, Tokens: tokensTogether}
	}
	rows := engine.Companions(d, mostRows)
	return Limits{Rows: rows, OnePrompt: rows, Tokens: tokensTogetherGPU}
}

// Usable is how much of the memory that is free for them the requests of one of so many engines may be planned to take. A
// plan is an estimate: a card's is near enough for four fifths where one engine has it, and what fails all the same is
// answered alone. Of a host's memory, which other programs use, and of what several engines take from, half is left, so
// that the last to allocate does not fail.
func Usable(device string, free int64, engines int) int64 {
	if engines == 1 && !engine.OnHost(device) {
		return free / 5 * 4
	}
	return free / 2 / int64(engines)
}
