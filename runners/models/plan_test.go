package models

import (
	"testing"

	"github.com/snapbench/snapbench/compress"
)

// TestPlanCoversSlidingLayersAndSteps: a plan is no less than what is held, where the most of it is a sliding layer of one variant before it
// is encoded, and where it is a step's rows, each with its token, beside followers.
func TestPlanCoversSlidingLayersAndSteps(t *testing.T) {
	for name, c := range map[string]struct {
		change map[string]any
		n      int
		list   string
	}{
		"an uncoded sliding layer": {map[string]any{"sliding_window": 60}, 60, "recent(cap=3)+q8_0;recent(cap=2)+q8_0"},
		"rows of a step":           {map[string]any{"vocab_size": 300}, 1, "full;recent(cap=2);recent(cap=3)"},
	} {
		m, err := tinyFamily(t, "gemma2", c.change)
		if err != nil {
			t.Fatal(err)
		}
		list, err := compress.ParseAll(c.list)
		if err != nil {
			t.Fatal(err)
		}
		d := m.device
		before := d.Memory().InUse
		d.ResetPeak()
		done, err := m.Prefill(t.Context(), Prompt{IDs: tokens(c.n), Variants: list, Room: 2, Twins: true})
		if err != nil {
			t.Fatal(err)
		}
		b, err := m.NewDecoder(append(done.Sequences, done.Twins...))
		if err != nil {
			t.Fatal(err)
		}
		var own, followers []int
		for i := range list {
			own, followers = append(own, i), append(followers, len(list)+i)
		}
		if _, err := b.Step(make([]int32, b.Rows())); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Divergence(own, followers); err != nil {
			t.Fatal(err)
		}
		b.Close()
		done.Free()
		if planned, held := m.Plan(list, c.n, 2, true).Total(), d.Memory().Peak-before; planned < held || planned > held+held/5 {
			t.Errorf("%s: %d bytes are planned, %d were held", name, planned, held)
		}
	}
}
