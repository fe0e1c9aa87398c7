package speed

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// A plan in words becomes numbers; what excludes what is said by the flags' names.
func TestAsked(t *testing.T) {
	for _, x := range []struct {
		change func(*Asked)
		given  string
		want   string // lengths, batches, limit, attending and block, or the error
	}{
		{func(*Asked) {}, "", "[4096] [1] 0 0 0"},
		{func(a *Asked) { a.Lengths, a.Batches = []string{"1k", " max"}, []string{"2", " 8"} }, "", "[1024 0] [2 8] 0 0 0"},
		{func(a *Asked) { a.Memory, a.Attending, a.Block = "900m", "128k", "4k" }, "", "[4096] [1] 943718400 131072 4096"},
		{func(a *Asked) { a.Lengths = []string{"long"} }, "", `length "long": want tokens, as 4096, 4k or 1m, or max`},
		{func(a *Asked) { a.Batches = []string{"0"} }, "", `batch "0": want 1 to 1048576, or max`},
		{func(a *Asked) { a.Memory = "much" }, "", `size "much": want bytes, as 16g or 900m`},
		{func(a *Asked) { a.Block = "0" }, "", `--block: length "0": want tokens, as 4096, 4k or 1m`},
		{func(a *Asked) { a.Lengths, a.Batches = []string{"max"}, []string{"max"} }, "",
			"--lengths max and --batch max: the one depends on the other, give one in numbers"},
		{func(a *Asked) { a.Shared = true }, "batch", "--shared takes lengths in numbers, and no --batch, --prefill or --against"},
		{func(a *Asked) { a.Shared, a.Repeat = true, 0 }, "repeat", "--repeat 0: want 1 or more, and 1000 at most"},
		{func(a *Asked) { a.Repeat = 1001 }, "repeat", "--repeat 1001: want 1 or more, and 1000 at most"},
		{func(a *Asked) { a.Prompts = 1 }, "", "--prefill 1: want 2 at least (one to copy, and one that is read beside the copies), or 0 for all"},
	} {
		a := Asked{Lengths: []string{"4k"}, Batches: []string{"1"}, MaxNew: 64, Warmup: 8, Repeat: 5}
		x.change(&a)
		p, err := a.Plan(nil, func(flag string) bool { return slices.Contains(strings.Fields(x.given), flag) })
		got := fmt.Sprint(p.Lengths, p.Batches, p.Limit, p.Part.Attending, p.Block)
		if err != nil {
			got = err.Error()
		}
		if got != x.want {
			t.Errorf("%+v: %s, want %s", a, got, x.want)
		}
	}
}
