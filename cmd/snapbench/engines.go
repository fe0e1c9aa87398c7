package main

// Engines register themselves.
import (
	_ "github.com/snapbench/snapbench/runners/cluster/kubernetes"
)
