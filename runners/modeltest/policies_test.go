package modeltest

import (
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/ref"
)

func TestPoliciesOnRef(t *testing.T)  { Policies(t, ref.New(), 1e-4, 1e-5) }
func TestPoliciesOnCPU(t *testing.T)  { Policies(t, CPU(t), 1e-4, 1e-5) }
func TestPoliciesOnCUDA(t *testing.T) { Policies(t, CUDA(t, engine.Float32), 1e-3, 1e-4) }
