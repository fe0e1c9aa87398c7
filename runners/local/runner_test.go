package local

import (
	"testing"

	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/runnertest"
)

// The engine is a Runner as any other.
func TestRunner(t *testing.T) {
	r, m := tiny(t)
	before := m.Device().Memory().InUse
	requests := []runners.Request{{Prompt: ids(100, 3)}, {Prompt: ids(61, 5)}, {Prompt: ids(140, 9), Question: ids(5, 11)}}
	runnertest.Run(t, runnertest.Subject{
		Runner: r, Variants: runners.VariantsOf(variants(t, five)), Requests: requests,
		Impossible: runners.Request{Prompt: ids(1<<22, 1)},
		Unserved:   oneVariant(t, "snapkv(cap=20%,w=32)"),
	})
	if after := m.Device().Memory().InUse; after != before {
		t.Errorf("%d bytes are still held", after-before)
	}
}
