package runners

import (
	"testing"

	"github.com/snapbench/snapbench/datasets"
	"github.com/snapbench/snapbench/results/parts"
)

// Samples of all tasks are one list, the most work first, so that a run ends with short prompts and short answers; parts of
// it are disjoint, together everything, and about equally much work.
func TestPlaces(t *testing.T) {
	j := &Job{}
	for _, set := range []string{"lcc", "narrativeqa", "gov_report", "trec"} {
		task, err := datasets.Open(set, datasets.Options{Limit: 30, Own: &datasets.LongBenchOptions{DryText: true}})
		if err != nil {
			t.Fatal(err)
		}
		j.Tasks = append(j.Tasks, task)
	}
	all := j.Places()
	last := all[len(all)-1]
	if len(all) != 120 || all[0].Task.Name() != "narrativeqa" || all[0].Number != 29 || last.Task.Name() != "lcc" || last.Number != 0 {
		t.Fatalf("%d places, from %s %d to %s %d", len(all), all[0].Task.Name(), all[0].Number, last.Task.Name(), last.Number)
	}
	weight := func(p Place) float64 { return p.Effort.Reading + p.Effort.Decoding }
	for i := range all[1:] {
		if weight(all[i+1]) > weight(all[i]) {
			t.Errorf("place %d is %v, the one before %v", i+1, all[i+1].Effort, all[i].Effort)
		}
	}
	type name struct {
		task   string
		number int
	}
	seen := map[name]bool{}
	var work []float64
	for k := range 3 {
		j.Part = parts.Part{Index: k, Count: 3}
		sum := 0.0
		for _, p := range j.Places() {
			seen[name{p.Task.Name(), p.Number}], sum = true, sum+weight(p)
		}
		work = append(work, sum)
	}
	if len(seen) != len(all) || work[0] > 1.1*work[2] || work[2] > work[0] {
		t.Errorf("%d of %d samples in the parts, of so much work: %v", len(seen), len(all), work)
	}
}
