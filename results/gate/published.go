package gate

import (
	"fmt"
	"math"

	"github.com/snapbench/snapbench/results"
)

// published are the spreads of a change whose scores by sample its authors published: Mistral-7B-Instruct-v0.2 on the 16
// English and code sets of LongBench under the full cache, and under SnapKV with 512 positions, window 32 and kernel 7
// (github.com/FFY0/AdaKV at b591a61, experiments/LongBench/Log, list_result.json). docs/longbench.md has the two runs.
// Numbers are points of 0 to 100: the mean under the full cache, the standard deviation of a sample's difference, and the
// share of samples whose scores differ in percent.
var published = []struct {
	task                 string
	samples              int
	base, spread, differ float64
	binary               bool
}{
	{"narrativeqa", 200, 26.63, 15.13, 34.5, false},
	{"qasper", 200, 32.99, 18.06, 66.0, false},
	{"multifieldqa_en", 150, 49.34, 11.12, 54.0, false},
	{"hotpotqa", 200, 42.77, 18.85, 26.0, false},
	{"2wikimqa", 200, 27.35, 12.17, 26.5, false},
	{"musique", 200, 18.77, 16.94, 23.5, false},
	{"gov_report", 200, 32.87, 6.19, 100.0, false},
	{"qmsum", 200, 24.24, 6.12, 99.0, false},
	{"multi_news", 200, 27.10, 4.26, 98.0, false},
	{"trec", 200, 71.00, 22.06, 5.0, true},
	{"triviaqa", 200, 86.23, 7.32, 3.5, false},
	{"samsum", 200, 42.96, 9.06, 78.5, false},
	{"passage_count", 200, 2.75, 5.71, 8.5, false},
	{"passage_retrieval_en", 200, 86.98, 22.04, 8.0, false},
	{"lcc", 500, 55.33, 15.97, 42.0, false},
	{"repobench-p", 500, 52.87, 13.30, 41.2, false},
}

// PlanPublished plans LongBench's sets from published spreads.
func PlanPublished(limits Limits) *Plan {
	p := newPlan("what others published: LongBench, Mistral-7B-Instruct-v0.2, full cache and SnapKV 512 (docs/longbench.md)", limits)
	n, sum, variance, differ := 0, 0.0, 0.0, 0.0
	for _, x := range published {
		n, sum, differ = n+x.samples, sum+x.base/100, differ+x.differ/100*float64(x.samples)
		variance += math.Pow(x.spread/100, 2) / float64(x.samples)
		p.add(PlanLine{Task: x.task, Samples: x.samples}, results.Pilot{Base: x.base / 100, Spread: x.spread / 100, Differ: x.differ / 100, Binary: x.binary}, limits.task(x.task))
	}
	k := float64(len(published)) // each task weighs the same
	all := results.Pilot{Base: sum / k, Spread: math.Sqrt(float64(n)*variance) / k, Differ: differ / float64(n)}
	p.add(PlanLine{Task: fmt.Sprintf("average of %d", len(published)), Samples: n}, all, limits.average())
	return p.done()
}
