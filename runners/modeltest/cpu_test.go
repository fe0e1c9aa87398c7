package modeltest

import (
	"testing"

	"github.com/snapbench/snapbench/runners/cpu"
)

func open(t *testing.T) *cpu.Device {
	t.Helper()
	d, err := cpu.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func TestGoldensOnCPU(t *testing.T) { Goldens(t, open(t), 1e-4, 1e-6) }

func TestRealModelOnCPU(t *testing.T) { Real(t, open(t)) }
