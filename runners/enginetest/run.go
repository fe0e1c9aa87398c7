package enginetest

import (
	"slices"
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
)

// Options say what a device does not promise.
type Options struct {
	// RowsDepend: a row's rounding may depend on the other rows of the call.
	RowsDepend bool

	// Work, where it is not 0, limits the cases of each operation to so many multiplications
	// on average: cases use up what smaller ones before them have left, and one that needs
	// more than is left does not run. It is for devices that are thousands of times slower.
	Work int

	// Cases names the operations to run, as the subtests are named; none means all.
	Cases []string
}

// budget is what is left of Options.Work in a test, and how many cases ran and did not.
type budget struct {
	work, left int
	ran, not   int
}

// affords says whether the next case, of so many multiplications, is to run.
func (b *budget) affords(multiplications int) bool {
	b.left += b.work
	if b.work != 0 && b.left < multiplications {
		b.not++
		return false
	}
	b.left -= multiplications
	b.ran++
	return true
}

// Run holds d to the reference and, in every run, the suite to the operations: one without
// a case fails.
func Run(t *testing.T, d engine.Device, o Options) {
	for _, method := range uncovered(interfaces, cases) {
		t.Errorf("%s has no case: add one to cases.go", method)
	}
	type subtest struct {
		name string
		run  func(*testing.T)
	}
	var all []subtest
	for _, c := range cases {
		all = append(all, subtest{c.name, func(t *testing.T) {
			b := newBench(t, d)
			b.budget.work = o.Work
			c.run(b)
			b.account()
		}})
	}
	if !o.RowsDepend {
		all = append(all, subtest{"company", func(t *testing.T) { companyCases(t, d, o) }})
	}
	left := slices.Clone(o.Cases)
	for _, c := range all {
		if len(o.Cases) == 0 || slices.Contains(o.Cases, c.name) {
			t.Run(c.name, c.run)
		}
		left = slices.DeleteFunc(left, func(name string) bool { return name == c.name })
	}
	if len(left) > 0 {
		t.Errorf("unknown operations %q", left)
	}
}

// account logs how many cases were left out.
func (b *bench) account() {
	if b.not > 0 {
		b.Logf("%d cases, %d left out", b.ran, b.not)
	}
}
