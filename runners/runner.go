// Package runners runs prompts through a model under several variants of its
// cache at once: one prefill, in which every variant chooses and gathers what it
// keeps, then one ragged batch that decodes all of them.
package runners

import (
	"context"
	"time"

	"github.com/snapbench/snapbench/compress"
)

// Runner completes prompts.
type Runner interface {
	// Run completes each request under each of its variants: out[i][j] belongs to
	// requests[i].Variants[j]. What goes wrong with one request or variant is that
	// completion's Err; the returned error means that nothing can go on (the
	// context is done, the device failed).
	Run(ctx context.Context, requests []Request) (out [][]Completion, err error)
	Close() error
}

// Request is a prompt and how to complete it.
type Request struct {
	Sample   int     // the prompt's number in its data set: a random policy's draw rests on it
	Prompt   []int32 // read by prefill; what every policy may evict
	Question []int32 // read afterwards, through each variant's own cache
	Variants []compress.Variant
	MaxNew   int // most new tokens, at least 1
	MinNew   int // end tokens cannot be chosen before
	Stop     Stop
	// Fidelity compares each variant's next-token distribution with the full
	// cache's along the full cache's own answer; full must be among the variants.
	Fidelity bool
	// Positions asks for the kept positions in each Completion.
	Positions bool
	// Progress is told where the request is.
	Progress func(Progress)
}

// Stop says where an answer ends. The end token is part of Completion.Tokens.
type Stop struct {
	Tokens  []int32
	Strings []string // the text ends before the first of them
}

// Progress is where a request is: in its prefill, then decoding.
type Progress struct {
	Prefill      float64 // share done, 0 to 1
	Decoded, Max int     // tokens
}

// Completion is one variant's answer to one request.
type Completion struct {
	Variant compress.Variant
	Tokens  []int32
	Text    string
	Ended   bool // by a stop token or string, not by MaxNew
	Err     error

	Kept       Kept
	Host       bool        // the choice was computed in plain Go over copies
	Positions  [][][]int32 // (layer, cache head, kept), where asked for
	CacheBytes int64       // of the prompt's cache, all layers, without room for new tokens
	PeakBytes  int64       // highest use of the device while the request ran, weights included
	// Prefill is the time of the one prefill that all variants share; Decode the
	// time of the steps this answer took part in, which it shared too.
	Prefill, Decode time.Duration
	Fidelity        *Fidelity
}

// Kept counts positions per layer and cache head, as the device reports them.
type Kept struct {
	Min, Max int
	Mean     float64
}

// Fidelity is how near a variant's next-token distributions are to the full
// cache's, along the full cache's answer.
type Fidelity struct {
	Tokens    int     // distributions compared
	KLMean    float64 // mean KL(full ‖ variant), nats
	KLP99     float64 // its 99th percentile
	Agreement float64 // share of equal first choices
	// FirstDivergence is the first token of the answer that the variant would
	// choose otherwise, from 0; -1 where there is none.
	FirstDivergence int
}
