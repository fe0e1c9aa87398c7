package cpu

import (
	"testing"

	"github.com/snapbench/snapbench/runners/enginetest"
)

// TestDevice holds every set of kernels that this processor has to the reference.
func TestDevice(t *testing.T) {
	for _, k := range available() {
		t.Run(k.name, func(t *testing.T) {
			d := open(k, 2)
			defer d.Close()
			enginetest.Run(t, d, enginetest.Options{})
		})
	}
}
