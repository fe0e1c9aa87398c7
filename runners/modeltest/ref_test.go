package modeltest

import (
	"testing"

	"github.com/snapbench/snapbench/runners/ref"
)

func TestGoldensOnRef(t *testing.T) { Goldens(t, ref.New(), 1e-4, 1e-6) }
