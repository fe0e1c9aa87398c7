// Package runners answers samples. [Job.Run] is the project's one sentence: every
// sample of a plan becomes a prompt, a [Runner] takes prompts as it has room and
// answers each under every variant, the answers are graded, and one writer appends the
// rows.
//
// A Runner is what answers: the project's own engine (package local), or anything
// else that takes tokens or text.
package runners

import (
	"context"
	"time"

	"github.com/snapbench/snapbench/datasets"
)

// Runner completes prompts. It is used by one goroutine at a time.
type Runner interface {
	// Describe says who answers, and what it can do.
	Describe() Description
	// Check reports a variant that cannot be served whatever the prompt.
	Check(v []Variant) error
	// Run takes requests from work as it has room for them, completes each under each of
	// its variants, and gives each request's completions back when they are whole, until
	// work has no more. One request alone always has room: what does not fit then is an
	// error of its variants. What goes wrong with one request or variant is that
	// completion's Err; the returned error means that nothing can go on (the context is
	// done, the device failed).
	Run(ctx context.Context, work Work) error
	Close() error
}

// Description is what a row and run.json say of a runner.
type Description struct {
	Model    string // as named in results
	Revision string // commit, digest or version of what answers
	Rope     string // scaling of the rotation in place of the model's own; empty: its own
	Device   string // "cuda:0", "cpu", "server"
	DType    string // number format of weights and cache
	Name     string // names it among several: "cpu (1 of 2)"
	About    string // what computes: "AMD EPYC, avx2, 2 threads"
	Context  int    // most tokens of a prompt and its answer; 0 where unknown

	// What it can take and give.
	Text      bool // prompts as text, without tokens
	Fidelity  bool // comparison with the full cache's distributions
	Positions bool // the positions that were kept
}

// Variant is one way to answer: a cache policy of our own engine, or a server with
// its settings. Its text is its identity.
type Variant interface {
	String() string
	Policy() string            // the policy's name; rows of one policy share a curve
	Budget() string            // as asked, "full" where there is none
	Params() map[string]string // every parameter's canonical text
}

// Budgeted is a variant whose budget is a number of positions.
type Budgeted interface {
	// Allowed returns the budget of every layer for a prompt of n tokens; ok is false where
	// there is none, and where layers have budgets that differ.
	Allowed(n int) (tokens int, ok bool)
}

// Formatted is a variant whose cache may have a format.
type Formatted interface {
	Cache() string // the format's name; "" for the device's own type
}

// VariantsOf returns variants of one kind as Variants.
func VariantsOf[T Variant](list []T) []Variant {
	out := make([]Variant, len(list))
	for i, v := range list {
		out[i] = v
	}
	return out
}

// Request is a prompt and how to complete it.
type Request struct {
	Task     string             // whose sample it is
	Sample   int                // a random policy's draw rests on it: the sample's number in its task, or what that says instead
	Text     string             // the prompt as text, Question's at its end
	Messages []datasets.Message // the prompt as a chat, where it is one and the runner takes chats
	Prompt   []int32            // read by prefill; what every policy may evict
	Question []int32            // read afterwards, through each variant's own cache
	Variants []Variant
	MaxNew   int // most new tokens, at least 1
	MinNew   int // end tokens cannot be chosen before
	// Among are the tokens of which the likeliest begins the answer; none: all. A runner that cannot choose so makes it the
	// completions' error.
	Among []int32
	Stop  Stop
	// Fidelity compares each variant's next-token distribution with the full
	// cache's along the full cache's own answer; full must be among the variants.
	Fidelity bool
	// Positions asks for the kept positions in each Completion.
	Positions bool
	// Evidence asks what each cache keeps of passages of Prompt; nil: nothing.
	Evidence *Evidence
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
	Variant Variant
	Tokens  []int32
	Text    string
	Ended   bool // by a stop token or string, not by MaxNew
	Err     error
	// Untrusted is set where Err throws doubt on every other figure of the run, such
	// as a cache that does not hold what its budget says.
	Untrusted bool
	Note      string // what a reader of the row should know

	Kept       Kept
	Host       bool        // the choice was computed in plain Go over copies
	Positions  [][][]int32 // (layer, cache head, kept), where asked for
	CacheBytes int64       // of the prompt's cache, all layers, without room for new tokens
	FullBytes  int64       // of the full cache of the same prompt; in 16 bits where the cache has a format
	FixedBytes int64       // of both, what no policy changes
	TokenBytes float64     // that one more token takes in the cache
	CachePeak  int64       // largest state of the cache, new tokens included
	PeakBytes  int64       // highest use of the device while the request ran, weights included
	// Prefill is the time of the one prefill that all variants share; Decode the
	// time of the steps this answer took part in, which it shared too.
	Prefill, Decode time.Duration
	// PrefillPart and DecodePart are this answer's parts of these times, each divided among the answers that shared it:
	// over all answers they add up to what the device took. 0 where the runner does not know.
	PrefillPart, DecodePart time.Duration
	Fidelity                *Fidelity
	Evidence                *Audited // where it was asked for
	Served                  *Served  // nil where nothing was asked over a network
}

// Served is what is known of an answer that came over a network.
type Served struct {
	// PromptTokens and NewTokens are the server's own counts, 0 where it gives none.
	PromptTokens, NewTokens int
	// FirstToken is the time from the request to the first piece of the answer, the
	// server's queue and prefill in it; TokenP50 and TokenP95 are percentiles of the
	// time between tokens. 0 where unknown: one token, or an answer in one piece.
	FirstToken, TokenP50, TokenP95 time.Duration
	Retries                        int // how often it was asked again after a failure
	// Again is the text of a second answer to the same request, where it was asked for:
	// what differs is the server's own noise.
	Again *string
}

// Kept counts positions per layer and cache head, as the device reports them.
type Kept struct {
	Min, Max int
	Mean     float64
}
