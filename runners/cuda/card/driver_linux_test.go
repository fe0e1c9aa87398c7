package card

import (
	"errors"
	"strings"
	"testing"

	"github.com/ebitengine/purego"

	"github.com/snapbench/snapbench/runners/cuda/emulator"
)

// TestOldDriver: a driver without a function, or for an earlier CUDA, is refused by name.
func TestOldDriver(t *testing.T) {
	_, err := newDriver(func(name string) (uintptr, error) {
		if name == "cuLaunchKernelEx" {
			return 0, errors.New("no such symbol")
		}
		return emulator.Symbol(name)
	})
	if err == nil || !strings.Contains(err.Error(), "cuLaunchKernelEx") || !strings.Contains(err.Error(), "12.0") {
		t.Errorf("a driver without cuLaunchKernelEx: %v", err)
	}
	old := purego.NewCallback(func(to *int32) uintptr { *to = 11080; return 0 })
	_, err = newDriver(func(name string) (uintptr, error) {
		if name == "cuDriverGetVersion" {
			return old, nil
		}
		return emulator.Symbol(name)
	})
	if err == nil || !strings.Contains(err.Error(), "CUDA 11.8") || !strings.Contains(err.Error(), "12.0") {
		t.Errorf("a driver for CUDA 11.8: %v", err)
	}
}
