package modeltest

import (
	"path/filepath"
	"reflect"
	"testing"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/ref"
	"github.com/snapbench/snapbench/runners/sharedtest"
)

func TestPoliciesOnRef(t *testing.T)  { Policies(t, ref.New(), 1e-4, 1e-5) }
func TestPoliciesOnCPU(t *testing.T)  { Policies(t, CPU(t), 1e-4, 1e-5) }
func TestPoliciesOnCUDA(t *testing.T) { Policies(t, CUDA(t, engine.Float32), 1e-3, 1e-4) }

// TestColumnsByBlock: sums over all queries do not depend on the size of prefill blocks.
func TestColumnsByBlock(t *testing.T) {
	c := openGolden(t, ref.New(), filepath.Join(sharedtest.Path(t, "goldens"), "mistral_sliding"))
	for _, text := range []string{"h2o(cap=48,w=16,gqa=query_head)", "observed(cap=48)"} {
		v, err := compress.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		c.m.SetBlock(len(c.ids))
		whole := c.own(v)
		for _, block := range []int{1, 48, len(c.ids) - 1} {
			c.m.SetBlock(block)
			if got := c.own(v); !reflect.DeepEqual(got, whole) {
				t.Errorf("%s: in blocks of %d the choice is another one than in one block", v, block)
			}
		}
	}
}
