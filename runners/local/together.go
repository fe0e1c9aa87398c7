package local

import (
	"slices"

	"github.com/snapbench/snapbench/runners"
)

// shared says whether one prefill serves two requests, as those of several questions behind one
// context: what each variant keeps of the prompt is then the same for all, and each gets a cache
// of its own of it, so that an answer does not depend on which others there are.
func shared(a, b runners.Request) bool {
	return a.Sample == b.Sample && a.Fidelity == b.Fidelity && slices.Equal(a.Prompt, b.Prompt) &&
		slices.EqualFunc(a.Variants, b.Variants, func(v, w runners.Variant) bool { return v.String() == w.String() })
}
