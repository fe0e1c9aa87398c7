package main

import (
	"github.com/snapbench/snapbench/runners/cpu"
	"github.com/snapbench/snapbench/runners/engine"
)

func openCPU() (engine.Device, error) { return cpu.New() }
