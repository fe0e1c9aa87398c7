package speed

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/datasets"
	"github.com/snapbench/snapbench/runners/models"
)

// Asked is a plan in a user's words. A text that is empty asks for the default. Errors
// name the flags of snapbench speed.
type Asked struct {
	Lengths, Batches                []string // numbers, or max
	MaxNew, Warmup, Prompts, Layers int
	Attending, Block, Memory        string
	Seed                            uint64
	Shared                          bool // one prompt under all variants together, Repeat times
	Repeat                          int  // how often each cell is measured; 0: once, 5 times where Shared
}

// Plan reads what is asked for. Given says whether the user gave a flag.
func (a Asked) Plan(variants []compress.Variant, given func(flag string) bool) (Plan, error) {
	p := Plan{Variants: variants, MaxNew: a.MaxNew, Warmup: a.Warmup, Prompts: a.Prompts, Part: models.Part{Layers: a.Layers}, Seed: a.Seed, Repeat: a.Repeat}
	if p.Repeat == 0 && a.Shared {
		p.Repeat = 5
	}
	var err error
	for _, s := range a.Lengths {
		n := 0
		if s = strings.TrimSpace(s); s != "max" {
			if n, err = datasets.ParseTokens(s); err != nil {
				return p, fmt.Errorf("%w, or max", err)
			}
		}
		p.Lengths = append(p.Lengths, n)
	}
	for _, s := range a.Batches {
		n := 0
		if s = strings.TrimSpace(s); s != "max" {
			if n, err = strconv.Atoi(s); err != nil || n < 1 || n > MostSequences {
				return p, fmt.Errorf("batch %q: want 1 to %d, or max", s, MostSequences)
			}
		}
		p.Batches = append(p.Batches, n)
	}
	if a.Memory != "" {
		if p.Limit, err = ParseBytes(a.Memory); err != nil {
			return p, err
		}
	}
	if a.Attending != "" {
		if p.Part.Attending, err = datasets.ParseTokens(a.Attending); err != nil {
			return p, fmt.Errorf("--attending: %w", err)
		}
	}
	if a.Block != "" {
		if p.Block, err = datasets.ParseTokens(a.Block); err != nil {
			return p, fmt.Errorf("--block: %w", err)
		}
	}
	switch {
	case p.LongestAsked() && p.LargestAsked():
		return p, errors.New("--lengths max and --batch max: the one depends on the other, give one in numbers")
	case a.Shared && (p.LongestAsked() || given("batch") || given("prefill") || given("against")):
		return p, errors.New("--shared takes lengths in numbers, and no --batch, --prefill or --against")
	case given("repeat") && (a.Repeat < 1 || a.Repeat > mostRepeats):
		return p, fmt.Errorf("--repeat %d: want 1 or more, and %d at most", a.Repeat, mostRepeats)
	}
	return p, p.Valid()
}
