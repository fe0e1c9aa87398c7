package main

// The engines of --on register themselves.
import (
	_ "github.com/snapbench/snapbench/runners/cluster/kubernetes"
	_ "github.com/snapbench/snapbench/runners/cluster/ray"
	_ "github.com/snapbench/snapbench/runners/cluster/slurm"
)
