package modeltest

import (
	"os"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners/cuda"
	"github.com/snapbench/snapbench/runners/engine"
)

// openCUDA opens the first card, or skips the test where there is none, which
// SNAPBENCH_DEVICES=cuda turns into a failure.
func openCUDA(t *testing.T, kind engine.Type) engine.Device {
	t.Helper()
	if r := cuda.Probe(); len(r.Missing) > 0 {
		say := t.Skipf
		if strings.Contains(os.Getenv("SNAPBENCH_DEVICES"), "cuda") {
			say = t.Fatalf
		}
		say("no GPU to test on: %s", strings.Join(r.Missing, "; "))
	}
	d, err := cuda.Open(0, kind)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func TestGoldensOnCUDA(t *testing.T) { Goldens(t, openCUDA(t, engine.Float32), 1e-3, 1e-5) }

func TestRealModelOnCUDA(t *testing.T) { Real(t, openCUDA(t, engine.Float32)) }
