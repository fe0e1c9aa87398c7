package gate

import (
	"math"
	"runtime"
	"sync"

	"github.com/snapbench/snapbench/results"
)

// aboutPopulation tests each drop against its limit from both sides. The tests form one family: every task and average of
// every variant, corrected by Holm, half of what the confidence leaves for each side.
func aboutPopulation(tests []*test, silent map[string]bool, confidence float64) {
	alpha := (1 - confidence) / 2
	compared := compareAll(tests, alpha)
	pPass, pFail := make([]float64, len(tests)), make([]float64, len(tests))
	for i, t := range tests {
		limit := t.limit.of(compared[i].Base)
		pPass[i], pFail[i] = compared[i].AtLeast(limit), compared[i].AtMost(limit)
	}
	pPass, pFail = results.Holm(pPass), results.Holm(pFail)
	for i, t := range tests {
		l, c := &t.line, &compared[i]
		l.Bounds = &Bounds{Lo: results.Known(100 * c.Lo), Hi: results.Known(100 * c.Hi), PPass: pPass[i], PFail: pFail[i], Method: c.Method}
		switch {
		case silent[l.Subject]:
			l.Nothing = true
		case l.PPass <= alpha:
			l.Verdict = Pass
		case l.PFail <= alpha:
			l.Verdict = Fail
		default:
			if n := c.Needed(t.limit.of(c.Base), alpha/float64(len(tests))); n > 0 {
				l.Needed = &n
			}
		}
	}
}

// compareAll makes the comparisons on all cores. With m tests Holm asks for p-values down to alpha/m, and a bootstrap
// cannot give any below one over its draws.
func compareAll(tests []*test, alpha float64) []results.Comparison {
	draws := max(results.Draws, int(math.Ceil(4*float64(len(tests))/alpha)))
	list := make([]results.Comparison, len(tests))
	work := make(chan int)
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(tests)) {
		wg.Go(func() {
			for i := range work {
				list[i] = results.Compare(tests[i].pairs, draws)
			}
		})
	}
	for i := range tests {
		work <- i
	}
	close(work)
	wg.Wait()
	return list
}
