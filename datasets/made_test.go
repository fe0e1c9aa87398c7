package datasets

import "testing"

// The contract's samples of tasks whose prompts are made are few and short.
func init() {
	contractData["graphwalks"] = func(_ *testing.T, _ string, own any) {
		o := own.(*GraphWalksOptions)
		o.Lengths, o.Trials = []int{700, 400}, 2
	}
	contractData["infinitebench"] = func(_ *testing.T, _ string, own any) {
		o := own.(*InfiniteBenchOptions)
		o.Lengths, o.Trials = []int{900, 600}, 2
	}
}
