package gate

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/snapbench/snapbench/inputs/lookup"
	"github.com/snapbench/snapbench/results"
)

// test is one comparison: the scores behind a line.
type test struct {
	line  Line
	pairs [][]results.Pair // by task; one, or all of an average
	limit Limit
}

// judge answers limits.About for every task and average of every variant, and makes the checks.
func (p *pairing) judge(limits Limits) (*Result, error) {
	if limits.About == AboutSet && limits.Confidence != 0 {
		return nil, fmt.Errorf("%s %v is of a verdict about the population, and the question is about the set: ask about the population, or leave it out",
			limits.name("confidence"), limits.Confidence)
	}
	tests, err := p.tests(limits)
	if err != nil {
		return nil, err
	}
	g := &Result{Verdict: Pass, About: limits.About, Scale: Scale, Baseline: p.baseline, Candidate: p.candidate, Across: p.across, Checks: []Check{}, Notes: p.notes}
	silent := g.silent(p.contests)
	if limits.About == AboutSet {
		aboutSet(tests, silent)
	} else {
		g.Confidence = limits.confidence()
		aboutPopulation(tests, silent, g.Confidence)
	}
	for _, t := range tests {
		g.Lines = append(g.Lines, t.line)
		g.Verdict = worse(g.Verdict, t.line.Verdict)
	}
	for _, c := range p.contests {
		checks, err := c.checks(limits, p.twoRuns)
		if err != nil {
			return nil, err
		}
		checks = append(c.answerChecks(), checks...)
		for _, k := range checks {
			g.Verdict = worse(g.Verdict, k.Verdict)
		}
		g.Checks = append(g.Checks, checks...)
	}
	return g, nil
}

// tests lists what is compared, with all that does not depend on the question.
func (p *pairing) tests(limits Limits) ([]*test, error) {
	reasons, others, unknowns := p.reasons, map[question]bool{}, map[question]bool{}
	tasks := map[string]bool{}
	for _, c := range p.contests {
		reasons = append(reasons, c.compatible()...)
		for _, t := range c.tasks {
			tasks[t] = true
		}
		c.prompts(others, unknowns)
	}
	if len(others) > 0 && limits.Across.has(acrossPrompt) {
		p.differ(Difference{acrossPrompt, "its own", fmt.Sprintf("other ones in %d samples, paired by their ids", len(others))})
	}
	if len(unknowns) > 0 {
		p.note("the prompts of %d samples are not known: paired by their ids", len(unknowns))
	}
	if len(reasons) == 0 && len(p.contests) == 0 {
		reasons = append(reasons, "there are no rows")
	}
	if len(reasons) > 0 {
		return nil, &RefusedError{reasons}
	}
	have := slices.Sorted(maps.Keys(tasks))
	for _, t := range slices.Sorted(maps.Keys(limits.Tasks)) {
		if !tasks[t] {
			return nil, &RefusedError{[]string{fmt.Sprintf("there is a limit for the task %q, and no rows: %sthe runs have %s", t, lookup.Offer(t, have), strings.Join(have, ", "))}}
		}
	}
	var tests []*test
	for _, c := range p.contests {
		cache := c.footprint()
		line := Line{Subject: c.subject, Variant: c.variant, Label: c.label, cache: cache, CacheTimesFull: results.Known(cache.TimesFull)}
		all := &test{line: line}
		tasks := c.answered()
		for _, task := range tasks {
			t := &test{line: line, limit: limits.task(task)}
			t.line.Task = task
			var pairs []results.Pair
			for _, s := range samplesOf(c.base[task], c.cand[task]) {
				x, y := c.base[task][s], c.cand[task][s]
				pairs = append(pairs, results.Pair{Base: *x.Score, Cand: *y.Score})
				if x.Prediction != y.Prediction {
					t.line.Changed++
					all.line.Changed++
				}
			}
			t.pairs, all.pairs = [][]results.Pair{pairs}, append(all.pairs, pairs)
			t.count()
			tests = append(tests, t)
		}
		if len(tasks) > 1 && len(tasks) == len(c.tasks) {
			all.line.Task, all.line.Average, all.limit = fmt.Sprintf("average of %d", len(c.tasks)), true, limits.average()
			all.count()
			tests = append(tests, all)
		}
	}
	return tests, nil
}

// count fills in means, counts and McNemar's p. Every task weighs the same in an average.
func (t *test) count() {
	l := &t.line
	base, cand, drop, right := 0.0, 0.0, 0.0, true // right or wrong, nothing between
	for _, pairs := range t.pairs {
		b, c, d := 0.0, 0.0, 0.0
		for _, p := range pairs {
			b, c, d = b+p.Base, c+p.Cand, d+p.Base-p.Cand
			right = right && (p.Base == 0 || p.Base == 1) && (p.Cand == 0 || p.Cand == 1)
			switch {
			case p.Cand > p.Base:
				l.Better++
			case p.Cand < p.Base:
				l.Worse++
			}
		}
		l.Samples += len(pairs)
		n := float64(len(pairs))
		base, cand, drop = base+b/n, cand+c/n, drop+d/n
	}
	k := float64(len(t.pairs))
	base, cand, drop = base/k, cand/k, drop/k
	l.Baseline, l.Score, l.Drop = 100*base, 100*cand, 100*drop
	l.Limit, l.Asked = 100*t.limit.of(base), t.limit.String()
	l.Identical = l.Changed+l.Better+l.Worse == 0
	if right {
		p := mcNemar(l.Worse, l.Better)
		l.P = &p
	}
}

// hair is what rounding may add to a drop that is the limit, in points.
const hair = 1e-9

// aboutSet holds each drop to its limit as it is. Where all scores are 0 a drop cannot be seen, and a model that answers
// nothing would pass for ever: that stays undecided, also where no answer changed.
func aboutSet(tests []*test, silent map[string]bool) {
	for _, t := range tests {
		l := &t.line
		switch {
		case silent[l.Subject]:
			l.Nothing = true
		case !l.Identical && l.Drop > l.Limit+hair:
			l.Verdict = Fail
		default:
			l.Verdict = Pass
		}
	}
}

// worse keeps the verdict that weighs more: one failure fails the gate, and a pass needs everything to pass.
func worse(a, b Verdict) Verdict {
	rank := [...]int{1, 0, 2}
	if rank[b] > rank[a] {
		return b
	}
	return a
}
