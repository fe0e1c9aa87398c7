package main

import (
	"fmt"
	"strings"

	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/ref"
)

// deviceNames are what --device takes beside auto.
func deviceNames() []string { return []string{"cpu", "ref"} }

// openDevice opens the device of a name. "auto" is the first GPU where there is
// one, and says so in every row; a device asked for by name is that one or an
// error.
func openDevice(name, dtype string) (engine.Device, error) {
	t, err := parseType(dtype)
	if err != nil {
		return nil, usage(err)
	}
	switch name {
	case "auto", "cpu", "ref":
		if t != engine.Float32 && dtype != "auto" {
			return nil, usage(fmt.Errorf("--dtype %s: the %s device computes in float32 (weights stay as they are stored)", dtype, name))
		}
		if name == "ref" {
			return ref.New(), nil
		}
		return openCPU()
	}
	return nil, usage(fmt.Errorf("unknown device %q: have auto, %s", name, strings.Join(deviceNames(), ", ")))
}

func parseType(s string) (engine.Type, error) {
	switch s {
	case "auto", "float32":
		return engine.Float32, nil
	case "float16":
		return engine.Float16, nil
	case "bfloat16":
		return engine.BFloat16, nil
	}
	return 0, fmt.Errorf("unknown dtype %q: have auto, float32, float16, bfloat16", s)
}
