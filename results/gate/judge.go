package gate

import (
	"fmt"
	"maps"
	"math"
	"runtime"
	"slices"
	"sync"

	"github.com/snapbench/snapbench/results"
)

// judge runs the tests. Its tests form one family: every task and average of every variant.
func (g *Result) judge(contests []contest, reasons []string, limits Limits, twoRuns bool) (*Result, error) {
	for _, c := range contests {
		reasons = append(reasons, c.compatible()...)
	}
	tasks := map[string]bool{}
	for _, c := range contests {
		for _, t := range c.tasks {
			tasks[t] = true
		}
	}
	if len(reasons) == 0 && len(contests) == 0 {
		reasons = append(reasons, "there are no rows")
	}
	if len(reasons) > 0 {
		return nil, &RefusedError{reasons}
	}
	for _, t := range slices.Sorted(maps.Keys(limits.Tasks)) {
		if !tasks[t] {
			return nil, &RefusedError{[]string{fmt.Sprintf("there is a limit for the task %q, and no rows", t)}}
		}
	}

	g.Confidence = limits.confidence()
	alpha := (1 - g.Confidence) / 2
	type test struct {
		line  *Line
		pairs [][]results.Pair
		limit Limit
		cmp   results.Comparison
	}
	var tests []*test
	for _, c := range contests {
		var all [][]results.Pair
		changedAll := 0
		cache := c.footprint()
		line := Line{Subject: c.subject, Variant: c.variant, Label: c.label, cache: cache, CacheTimesFull: results.Known(cache.TimesFull)}
		for _, task := range c.tasks {
			var pairs []results.Pair
			changed := 0
			for _, s := range samplesOf(c.base[task], c.cand[task]) {
				x, y := c.base[task][s], c.cand[task][s]
				pairs = append(pairs, results.Pair{Base: *x.Score, Cand: *y.Score})
				if x.Prediction != y.Prediction {
					changed++
				}
			}
			changedAll += changed
			all = append(all, pairs)
			l := line
			l.Task, l.Changed = task, changed
			tests = append(tests, &test{line: &l, pairs: [][]results.Pair{pairs}, limit: limits.task(task)})
		}
		if len(c.tasks) > 1 {
			l := line
			l.Task, l.Average, l.Changed = fmt.Sprintf("average of %d", len(c.tasks)), true, changedAll
			tests = append(tests, &test{line: &l, pairs: all, limit: limits.average()})
		}
	}
	// With m tests Holm asks for p-values down to alpha/m, and a bootstrap cannot give any below one over its draws.
	draws := max(results.Draws, int(math.Ceil(4*float64(len(tests))/alpha)))
	work := make(chan *test)
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(tests)) {
		wg.Go(func() {
			for t := range work {
				t.cmp = results.Compare(t.pairs, draws)
			}
		})
	}
	for _, t := range tests {
		work <- t
	}
	close(work)
	wg.Wait()

	pPass, pFail := make([]float64, len(tests)), make([]float64, len(tests))
	for i, t := range tests {
		limit := t.limit.of(t.cmp.Base)
		pPass[i], pFail[i] = t.cmp.AtLeast(limit), t.cmp.AtMost(limit)
	}
	pPass, pFail = results.Holm(pPass), results.Holm(pFail)
	g.Verdict = Pass
	silent := g.silent(contests)
	for i, t := range tests {
		l, c := t.line, &t.cmp
		limit := t.limit.of(c.Base)
		l.Samples, l.Differ, l.Method = c.N, c.Differ, c.Method
		l.Baseline, l.Score, l.Drop, l.Lo, l.Hi = 100*c.Base, 100*c.Cand, 100*c.Drop, 100*c.Lo, 100*c.Hi
		l.Limit, l.Asked, l.PPass, l.PFail = 100*limit, t.limit.String(), pPass[i], pFail[i]
		switch {
		case silent[l.Subject]:
			l.Nothing = true
		case l.PPass <= alpha:
			l.Verdict = Pass
		case l.PFail <= alpha:
			l.Verdict = Fail
		default:
			if n := c.Needed(limit, alpha/float64(len(tests))); n > 0 {
				l.Needed = &n
			}
		}
		g.Lines = append(g.Lines, *l)
		g.Verdict = worse(g.Verdict, l.Verdict)
	}
	for _, c := range contests {
		checks, err := c.checks(limits, twoRuns)
		if err != nil {
			return nil, err
		}
		for _, k := range checks {
			g.Verdict = worse(g.Verdict, k.Verdict)
		}
		g.Checks = append(g.Checks, checks...)
	}
	return g, nil
}

// worse keeps the verdict that weighs more: one failure fails the gate, and a pass needs everything to pass.
func worse(a, b Verdict) Verdict {
	rank := [...]int{1, 0, 2}
	if rank[b] > rank[a] {
		return b
	}
	return a
}
