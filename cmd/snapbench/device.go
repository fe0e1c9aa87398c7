package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/snapbench/snapbench/runners/cpu"
	"github.com/snapbench/snapbench/runners/cuda"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/ref"
)

// deviceNames are what --device takes beside auto.
func deviceNames() []string { return []string{"cpu", "ref", "cuda", "cuda:N"} }

// openDevice opens the device of a name. "auto" is the first GPU where one is
// usable, else the CPU; rows say which it was. A device asked for by name is that
// one or an error.
func openDevice(name, dtype string) (engine.Device, error) {
	if name == "auto" {
		name = "cpu"
		if r := cuda.Probe(); len(r.Cards) > 0 && len(r.Missing) == 0 {
			name = "cuda"
		}
	}
	t := engine.Float32
	switch dtype {
	case "auto":
		if name != "cpu" && name != "ref" {
			t = engine.BFloat16
		}
	case "float32":
	case "float16":
		t = engine.Float16
	case "bfloat16":
		t = engine.BFloat16
	default:
		return nil, usage(fmt.Errorf("unknown dtype %q: have auto, float32, float16, bfloat16", dtype))
	}
	if name == "cpu" || name == "ref" {
		if t != engine.Float32 {
			return nil, usage(fmt.Errorf("--dtype %s: the %s device computes in float32 (weights stay as they are stored)", dtype, name))
		}
		if name == "ref" {
			return ref.New(), nil
		}
		return cpu.New()
	}
	if index, ok := strings.CutPrefix(name, "cuda"); ok {
		n := 0
		if index != "" {
			var err error
			if n, err = strconv.Atoi(strings.TrimPrefix(index, ":")); err != nil || index[0] != ':' || n < 0 {
				return nil, usage(fmt.Errorf("unknown device %q: have auto, %s", name, strings.Join(deviceNames(), ", ")))
			}
		}
		return cuda.Open(n, t)
	}
	return nil, usage(fmt.Errorf("unknown device %q: have auto, %s", name, strings.Join(deviceNames(), ", ")))
}
