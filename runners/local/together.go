package local

import (
	"slices"

	"github.com/snapbench/snapbench/runners"
)

// together groups requests that one prefill can serve, as those of several questions behind one
// context: what each variant keeps of the prompt is then the same for all, and each gets a cache
// of its own of it, so that an answer does not depend on which others there are.
func (b *batch) together(requests []int) (groups [][]int) {
next:
	for _, i := range requests {
		for g, group := range groups {
			if shared(b.requests[group[0]], b.requests[i]) {
				groups[g] = append(group, i)
				continue next
			}
		}
		groups = append(groups, []int{i})
	}
	return groups
}

// shared says whether one prefill serves two requests.
func shared(a, b runners.Request) bool {
	return a.Sample == b.Sample && a.Fidelity == b.Fidelity && slices.Equal(a.Prompt, b.Prompt) &&
		slices.EqualFunc(a.Variants, b.Variants, func(v, w runners.Variant) bool { return v.String() == w.String() })
}
