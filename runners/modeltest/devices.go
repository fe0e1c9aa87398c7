package modeltest

import (
	"os"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners/cpu"
	"github.com/snapbench/snapbench/runners/cuda"
	"github.com/snapbench/snapbench/runners/engine"
)

// CPU opens the fast CPU device for a test.
func CPU(t testing.TB) engine.Device {
	t.Helper()
	d, err := cpu.New()
	return opened(t, d, err)
}

// CUDA opens the first card. Without a card it skips the test, or fails it if
// SNAPBENCH_DEVICES names cuda.
func CUDA(t testing.TB, kind engine.Type) engine.Device {
	t.Helper()
	if r := cuda.Probe(); len(r.Missing) > 0 {
		say := t.Skipf
		if strings.Contains(os.Getenv("SNAPBENCH_DEVICES"), "cuda") {
			say = t.Fatalf
		}
		say("no GPU to test on: %s", strings.Join(r.Missing, "; "))
	}
	d, err := cuda.Open(0, kind)
	return opened(t, d, err)
}

func opened(t testing.TB, d engine.Device, err error) engine.Device {
	t.Helper()
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
