package cuda_test

import (
	"testing"

	"github.com/snapbench/snapbench/runners/cuda"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/modeltest"
)

// TestHalfInTiles: the reference checkpoints, which are small, by the products that are for large ones.
func TestHalfInTiles(t *testing.T) {
	for _, kind := range []engine.Type{engine.BFloat16, engine.Float16} {
		t.Run(kind.String(), func(t *testing.T) { modeltest.Half(t, cuda.InTiles(t, kind)) })
	}
}
