package results

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// Verdict is a gate's answer, for one comparison or as a whole.
type Verdict int

// Undecided is the zero value: what was not shown is not claimed.
const (
	Undecided Verdict = iota
	Pass
	Fail
)

func (v Verdict) String() string { return [...]string{"undecided", "pass", "fail"}[v] }

// MarshalText makes the verdict a word in JSON.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// ExitStatus is the process's status: 0 pass, 3 fail, 4 undecided.
func (v Verdict) ExitStatus() int { return [...]int{4, 0, 3}[v] }

// GateResult is what a gate found.
type GateResult struct {
	Verdict    Verdict    `json:"verdict"`
	Baseline   string     `json:"baseline"`
	Candidate  string     `json:"candidate"`
	Confidence float64    `json:"confidence"`
	Lines      []GateLine `json:"comparisons"`
	Checks     []Check    `json:"checks"`
	Notes      []string   `json:"notes,omitempty"`
}

// GateLine is one test of non-inferiority: a task or the average of all, under one variant. Scores and limits are 0
// to 100.
type GateLine struct {
	Subject  string  `json:"subject"`
	Variant  string  `json:"variant"`
	Label    string  `json:"label"`
	Task     string  `json:"task"`
	Average  bool    `json:"average,omitempty"`
	Samples  int     `json:"samples"`
	Differ   int     `json:"differ"`  // samples with another score
	Changed  int     `json:"changed"` // samples with another text
	Baseline float64 `json:"baseline"`
	Score    float64 `json:"score"`
	Drop     float64 `json:"drop"`
	Lo       float64 `json:"lo"` // 95 % interval of the drop
	Hi       float64 `json:"hi"`
	Limit    float64 `json:"limit"`
	Asked    string  `json:"asked"`  // the limit as written
	PPass    float64 `json:"p_pass"` // Holm-corrected p-value of "the drop is at least the limit"
	PFail    float64 `json:"p_fail"` // of "the drop is at most the limit"
	Method   string  `json:"method"`
	Verdict  Verdict `json:"verdict"`
	Needed   *int    `json:"needed,omitempty"`  // samples it would take to decide, if all stays as seen; null where decided or none would do
	Nothing  bool    `json:"nothing,omitempty"` // all scores of the subject are 0: undecided, for no drop could show
}

// Check is a limit that needs no statistics, or nearly: the budget audit, speed, memory, fidelity.
type Check struct {
	Name    string  `json:"name"`
	Subject string  `json:"subject,omitempty"`
	Label   string  `json:"label,omitempty"`
	Found   string  `json:"found"`
	Limit   string  `json:"limit"`
	Verdict Verdict `json:"verdict"`
}

// RefusedError says why two sets of results cannot be compared: a verdict over samples that are missing, failed or
// differ would be one over something else than what was asked.
type RefusedError struct{ Reasons []string }

func (e *RefusedError) Error() string {
	const most = 12
	shown := e.Reasons
	more := ""
	if len(shown) > most {
		shown, more = shown[:most], fmt.Sprintf("\n  and %d more", len(e.Reasons)-most)
	}
	return "the gate refuses to compare:\n  " + strings.Join(shown, "\n  ") + more
}

// contest is one variant of the candidate and what it is held against.
type contest struct {
	subject, variant, label string
	tasks                   []string
	base, cand              map[string]map[string]*Row // task → sample → row
}

// Gate holds a candidate's results against a baseline's, variant by variant of the same name; where each has a single
// variant, these two, whatever their names.
func Gate(base, cand Set, limits Limits) (*GateResult, error) {
	if base.Partial || cand.Partial {
		return nil, refusePartial(base, cand)
	}
	g := &GateResult{Baseline: base.Name, Candidate: cand.Name}
	var reasons []string
	baseSubjects, baseParts := Subjects(base.Rows)
	candSubjects, candParts := Subjects(cand.Rows)
	heldTo := map[int]int{} // a part of the candidate → the baseline's
	var contests []contest
	for i, cs := range candSubjects {
		k := -1
		for n, bs := range baseSubjects {
			if bs.model() == cs.model() && (k < 0 || bs == cs) {
				k = n
			}
		}
		if k < 0 && len(baseSubjects) == 1 && len(candSubjects) == 1 {
			bs := baseSubjects[0]
			for _, d := range []struct{ what, a, b string }{{"model", bs.Model, cs.Model}, {"revision", bs.Revision, cs.Revision}, {"protocol", bs.Protocol, cs.Protocol}} {
				if d.a != d.b {
					reasons = append(reasons, fmt.Sprintf("%s: baseline %q, candidate %q", d.what, d.a, d.b))
				}
			}
			continue
		}
		if k < 0 {
			reasons = append(reasons, fmt.Sprintf("%s is only in the candidate", cs))
			continue
		}
		if bs := baseSubjects[k]; bs.Device != cs.Device || bs.DType != cs.DType {
			g.Notes = append(g.Notes, fmt.Sprintf("%s: the baseline ran on %s %s, the candidate on %s %s", cs.Model, bs.Device, bs.DType, cs.Device, cs.DType))
		}
		heldTo[i] = k
		list, why := match(cs.String(), baseParts[k], candParts[i], base.Run, cand.Run)
		contests, reasons = append(contests, list...), append(reasons, why...)
	}
	if len(reasons) == 0 {
		for _, bs := range baseSubjects {
			if !slices.ContainsFunc(candSubjects, func(cs Subject) bool { return bs.model() == cs.model() }) {
				reasons = append(reasons, fmt.Sprintf("%s is only in the baseline", bs))
			}
		}
	}
	reasons = append(spread(baseSubjects, candSubjects, baseParts, candParts, heldTo), reasons...)
	return g.judge(contests, reasons, limits, true)
}

// model is a subject wherever it ran.
func (s Subject) model() Subject {
	return Subject{Model: s.Model, Revision: s.Revision, Protocol: s.Protocol}
}

// spread lists the models whose samples are spread over devices of several kinds, and not alike in both runs.
func spread(base, cand []Subject, baseParts, candParts [][]Row, heldTo map[int]int) (reasons []string) {
	of := func(subjects []Subject, m Subject) (list []int) {
		for i, s := range subjects {
			if s.model() == m {
				list = append(list, i)
			}
		}
		return list
	}
	var seen []Subject
	for _, s := range cand {
		m := s.model()
		if slices.Contains(seen, m) {
			continue
		}
		seen = append(seen, m)
		b, c := of(base, m), of(cand, m)
		if len(b) > 0 && len(b)+len(c) > 2 && uneven(baseParts, candParts, b, c, heldTo) {
			reasons = append(reasons, fmt.Sprintf("%s: the baseline has %s, the candidate %s: run all samples of both on devices of one kind",
				m.Model, onDevices(base, baseParts, b), onDevices(cand, candParts, c)))
		}
	}
	return reasons
}

type sampleName struct{ task, sample string }

func samplesIn(rows []Row) map[sampleName]bool {
	set := map[sampleName]bool{}
	for i := range rows {
		set[sampleName{rows[i].Task, rows[i].Sample}] = true
	}
	return set
}

// uneven says whether the parts b of a baseline and c of a candidate, one for each kind of device, leave a sample of one
// run without its like: in a pair, or in a part of the baseline that nothing is held to.
func uneven(base, cand [][]Row, b, c []int, heldTo map[int]int) bool {
	compared := map[sampleName]bool{}
	for _, i := range c {
		mine := samplesIn(cand[i])
		if !maps.Equal(mine, samplesIn(base[heldTo[i]])) {
			return true
		}
		maps.Copy(compared, mine)
	}
	for _, k := range b {
		for s := range samplesIn(base[k]) {
			if !compared[s] {
				return true
			}
		}
	}
	return false
}

// onDevices is "5 samples on cpu float32 and 1 on ref float32".
func onDevices(subjects []Subject, parts [][]Row, of []int) string {
	var list []string
	for n, i := range of {
		count := fmt.Sprint(len(samplesIn(parts[i])))
		if n == 0 {
			count += " samples"
		}
		list = append(list, fmt.Sprintf("%s on %s %s", count, subjects[i].Device, subjects[i].DType))
	}
	return strings.Join(list, " and ")
}

// ErrUnknownVariant says that a run has no variant of the name asked for.
var ErrUnknownVariant = errors.New("unknown variant")

// GateAgainst holds every variant of a set against one of its own, such as full;
// where it has none of that name the error wraps [ErrUnknownVariant].
func GateAgainst(set Set, against string, limits Limits) (*GateResult, error) {
	if set.Partial {
		return nil, refusePartial(set, Set{})
	}
	if limits.MaxSlowdown != nil || limits.MaxPeak != nil {
		return nil, fmt.Errorf("max_slowdown and max_peak compare two runs: the variants of one run share their prefill and are decoded together")
	}
	g := &GateResult{Baseline: set.Name + ": " + against, Candidate: set.Name}
	var contests []contest
	var reasons []string
	subjects, parts := Subjects(set.Rows)
	for i, rows := range parts {
		variants := names(rows, func(r *Row) string { return r.Variant }, set.Run.Variants)
		labels := Labels(rows)
		at := slices.IndexFunc(variants, func(v string) bool { return v == against || labels[v] == against })
		if at < 0 {
			var have []string
			for _, v := range variants {
				have = append(have, labels[v])
			}
			return nil, fmt.Errorf("%w %q: %s has %s", ErrUnknownVariant, against, subjects[i], strings.Join(have, ", "))
		}
		base := byTask(rows, variants[at], &reasons)
		for _, v := range variants {
			if v != variants[at] {
				contests = append(contests, contest{
					subject: subjects[i].String(), variant: v, label: labels[v], tasks: set.Run.tasksOf(rows), base: base, cand: byTask(rows, v, &reasons),
				})
			}
		}
	}
	if len(contests) == 0 && len(reasons) == 0 {
		reasons = append(reasons, fmt.Sprintf("%s has no other variant than %s", set.Name, against))
	}
	return g.judge(contests, reasons, limits, false)
}

func refusePartial(sets ...Set) error {
	var reasons []string
	for _, s := range sets {
		if s.Partial {
			reasons = append(reasons, fmt.Sprintf("%s is not finished: run its command again to continue it", s.Name))
		}
	}
	return &RefusedError{reasons}
}

func (run Run) tasksOf(rows []Row) []string {
	return names(rows, func(r *Row) string { return r.Task }, run.Tasks)
}

func byTask(rows []Row, variant string, reasons *[]string) map[string]map[string]*Row {
	m := map[string]map[string]*Row{}
	for i := range rows {
		r := &rows[i]
		if r.Variant != variant {
			continue
		}
		if m[r.Task] == nil {
			m[r.Task] = map[string]*Row{}
		}
		if m[r.Task][r.Sample] != nil {
			*reasons = append(*reasons, fmt.Sprintf("%s: sample %q is there twice under %s", r.Task, r.Sample, r.Variant))
		}
		m[r.Task][r.Sample] = r
	}
	return m
}

// match pairs the variants of two parts.
func match(subject string, base, cand []Row, baseRun, candRun Run) (list []contest, reasons []string) {
	bv := names(base, func(r *Row) string { return r.Variant }, baseRun.Variants)
	cv := names(cand, func(r *Row) string { return r.Variant }, candRun.Variants)
	labels := Labels(cand)
	tasks := candRun.tasksOf(append(slices.Clone(cand), base...))
	add := func(b, c string) {
		list = append(list, contest{subject: subject, variant: c, label: labels[c], tasks: tasks, base: byTask(base, b, &reasons), cand: byTask(cand, c, &reasons)})
	}
	if len(bv) == 1 && len(cv) == 1 {
		add(bv[0], cv[0])
		return list, reasons
	}
	for _, v := range cv {
		if slices.Contains(bv, v) {
			add(v, v)
		} else {
			reasons = append(reasons, fmt.Sprintf("variant %s is only in the candidate", v))
		}
	}
	for _, v := range bv {
		if !slices.Contains(cv, v) {
			reasons = append(reasons, fmt.Sprintf("variant %s is only in the baseline", v))
		}
	}
	return list, reasons
}

// compatible lists why the rows of a contest cannot be compared.
func (c contest) compatible() (reasons []string) {
	say := func(format string, args ...any) { reasons = append(reasons, c.label+": "+fmt.Sprintf(format, args...)) }
	for _, task := range c.tasks {
		b, d := c.base[task], c.cand[task]
		if len(b) == 0 || len(d) == 0 {
			if len(b) > 0 {
				say("%s is only in the baseline", task)
			} else if len(d) > 0 {
				say("%s is only in the candidate", task)
			}
			continue
		}
		var missingCand, missingBase, failedBase, failedCand []string
		differs := map[string][]string{} // what → samples
		order := []string{"task version", "metric", "metric version", "prompt", "answer"}
		for _, s := range samplesOf(b, d) {
			x, y := b[s], d[s]
			switch {
			case y == nil:
				missingCand = append(missingCand, s)
				continue
			case x == nil:
				missingBase = append(missingBase, s)
				continue
			}
			if x.Error != "" {
				failedBase = append(failedBase, s+" ("+x.Error+")")
			}
			if y.Error != "" {
				failedCand = append(failedCand, s+" ("+y.Error+")")
			}
			for _, f := range []struct{ what, x, y string }{
				{"task version", fmt.Sprint(x.TaskVersion), fmt.Sprint(y.TaskVersion)},
				{"metric", x.Metric, y.Metric},
				{"metric version", fmt.Sprint(x.MetricVersion), fmt.Sprint(y.MetricVersion)},
				{"answer", x.Answer, y.Answer},
			} {
				if f.x != f.y {
					differs[f.what] = append(differs[f.what], fmt.Sprintf("%s: %s, %s", s, cut(f.x), cut(f.y)))
				}
			}
			if x.PromptSHA256 != y.PromptSHA256 && x.PromptSHA256 != "" && y.PromptSHA256 != "" {
				differs["prompt"] = append(differs["prompt"], s)
			}
		}
		if len(missingCand) > 0 {
			say("%s: missing in the candidate: %s", task, few(missingCand))
		}
		if len(missingBase) > 0 {
			say("%s: missing in the baseline: %s", task, few(missingBase))
		}
		for _, side := range []struct {
			name   string
			failed []string
			of     int
		}{{"baseline", failedBase, len(b)}, {"candidate", failedCand, len(d)}} {
			if n := len(side.failed); n > 1 && n == side.of {
				say("%s: all %d samples failed in the %s: %s", task, n, side.name, few(side.failed))
			} else if n > 0 {
				say("%s: failed in the %s: %s", task, side.name, few(side.failed))
			}
		}
		for _, what := range order {
			if list := differs[what]; len(list) > 0 {
				say("%s: another %s in %s", task, what, few(list))
			}
		}
	}
	return reasons
}

func cut(s string) string {
	if r := []rune(s); len(r) > 30 {
		s = string(r[:27]) + "..."
	}
	return fmt.Sprintf("%q", s)
}

func few(list []string) string {
	if len(list) > 3 {
		return fmt.Sprintf("%s and %d more samples", strings.Join(list[:3], ", "), len(list)-3)
	}
	return strings.Join(list, ", ")
}

func samplesOf(a, b map[string]*Row) []string {
	var list []string
	for s := range a {
		list = append(list, s)
	}
	for s := range b {
		if a[s] == nil {
			list = append(list, s)
		}
	}
	slices.SortFunc(list, Natural)
	return list
}

// judge runs the tests. Its tests form one family: every task and average of every variant.
func (g *GateResult) judge(contests []contest, reasons []string, limits Limits, twoRuns bool) (*GateResult, error) {
	for _, c := range contests {
		reasons = append(reasons, c.compatible()...)
	}
	known := map[string]bool{}
	for _, c := range contests {
		for _, t := range c.tasks {
			known[t] = true
		}
	}
	if len(reasons) == 0 && len(contests) == 0 {
		reasons = append(reasons, "there are no rows")
	}
	if len(reasons) > 0 {
		return nil, &RefusedError{reasons}
	}
	for _, t := range slices.Sorted(maps.Keys(limits.Tasks)) {
		if !known[t] {
			return nil, &RefusedError{[]string{fmt.Sprintf("there is a limit for the task %q, and no rows", t)}}
		}
	}

	g.Confidence = limits.confidence()
	alpha := (1 - g.Confidence) / 2
	type test struct {
		line  *GateLine
		pairs [][]Pair
		limit Limit
		cmp   Comparison
	}
	var tests []*test
	for _, c := range contests {
		var all [][]Pair
		changedAll := 0
		for _, task := range c.tasks {
			var pairs []Pair
			changed := 0
			for _, s := range samplesOf(c.base[task], c.cand[task]) {
				x, y := c.base[task][s], c.cand[task][s]
				pairs = append(pairs, Pair{*x.Score, *y.Score})
				if x.Prediction != y.Prediction {
					changed++
				}
			}
			changedAll += changed
			all = append(all, pairs)
			tests = append(tests, &test{
				line:  &GateLine{Subject: c.subject, Variant: c.variant, Label: c.label, Task: task, Changed: changed},
				pairs: [][]Pair{pairs}, limit: limits.task(task),
			})
		}
		if len(c.tasks) > 1 {
			tests = append(tests, &test{
				line:  &GateLine{Subject: c.subject, Variant: c.variant, Label: c.label, Task: fmt.Sprintf("average of %d", len(c.tasks)), Average: true, Changed: changedAll},
				pairs: all, limit: limits.average(),
			})
		}
	}
	// With m tests Holm asks for p-values down to alpha/m, and a bootstrap cannot give any below one over its draws.
	draws := max(resamples, int(math.Ceil(4*float64(len(tests))/alpha)))
	work := make(chan *test)
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(tests)) {
		wg.Go(func() {
			for t := range work {
				t.cmp = Compare(t.pairs, draws)
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
	pPass, pFail = holm(pPass), holm(pFail)
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

// holm corrects p-values for their number (Holm 1979): compared with a level as they are, they keep the chance of a
// single wrong rejection among all of them below it.
func holm(p []float64) []float64 {
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(p[a], p[b]) })
	out := make([]float64, len(p))
	largest := 0.0
	for rank, i := range order {
		largest = max(largest, min(1, float64(len(p)-rank)*p[i]))
		out[i] = largest
	}
	return out
}

// checks are the audit, and the limits on speed, memory and fidelity where they are asked.
func (c contest) checks(limits Limits, twoRuns bool) ([]Check, error) {
	var list []Check
	add := func(name, found, limit string, v Verdict) {
		list = append(list, Check{Name: name, Subject: c.subject, Label: c.label, Found: found, Limit: limit, Verdict: v})
	}
	verdict := func(ok bool) Verdict {
		if ok {
			return Pass
		}
		return Fail
	}
	audited, broken, example := 0, 0, ""
	var prefill, decode, kl []float64
	var basePeak, candPeak int64
	missing := map[string]int{}
	for _, task := range c.tasks {
		for _, s := range samplesOf(c.base[task], c.cand[task]) {
			x, y := c.base[task][s], c.cand[task][s]
			if y.KeptMean != nil {
				audited++
			}
			for _, r := range []*Row{x, y} {
				if r.Audit != "" && (r == y || twoRuns) {
					broken++
					if example == "" {
						example = fmt.Sprintf("%s, sample %s: %s", task, s, r.Audit)
					}
				}
			}
			ratio := func(name string, a, b *float64, list *[]float64) {
				if a == nil || b == nil || *a <= 0 || *b <= 0 {
					missing[name]++
					return
				}
				*list = append(*list, math.Log(*b / *a))
			}
			ratio("prefill_seconds", x.PrefillSeconds, y.PrefillSeconds, &prefill)
			ratio("decode_seconds", x.DecodeSeconds, y.DecodeSeconds, &decode)
			if x.PeakBytes == nil || y.PeakBytes == nil {
				missing["peak_bytes"]++
			} else {
				basePeak, candPeak = max(basePeak, *x.PeakBytes), max(candPeak, *y.PeakBytes)
			}
			if x.KLMean == nil || y.KLMean == nil {
				missing["kl_mean"]++
			} else {
				kl = append(kl, *y.KLMean-*x.KLMean)
			}
		}
	}
	need := func(limit string, columns ...string) error {
		for _, col := range columns {
			if missing[col] > 0 {
				return &RefusedError{[]string{fmt.Sprintf("%s: %s needs %s, which %d samples lack", c.label, limit, col, missing[col])}}
			}
		}
		return nil
	}
	switch {
	case broken > 0:
		add("budget audit", fmt.Sprintf("%d rows kept other than they should (%s)", broken, example), "none", Fail)
	case audited > 0:
		add("budget audit", fmt.Sprintf("%d rows kept what they should", audited), "none", Pass)
	}
	if limits.MaxSlowdown != nil {
		if err := need("max_slowdown", "prefill_seconds", "decode_seconds"); err != nil {
			return nil, err
		}
		for _, t := range []struct {
			name string
			logs []float64
		}{{"prefill time", prefill}, {"decode time", decode}} {
			iv := PlainInterval(t.logs)
			found := fmt.Sprintf("%.3g times the baseline's", math.Exp(iv.Mean))
			v := verdict(iv.Mean <= math.Log(*limits.MaxSlowdown))
			if iv.Defined() {
				found += fmt.Sprintf(" [%.3g, %.3g]", math.Exp(iv.Lo), math.Exp(iv.Hi))
				// The interval must be on one side: times are noisy.
				if l := math.Log(*limits.MaxSlowdown); iv.Lo <= l && l < iv.Hi {
					v = Undecided
				}
			}
			add(t.name, found, fmt.Sprintf("%g times", *limits.MaxSlowdown), v)
		}
	}
	if limits.MaxPeak != nil {
		if err := need("max_peak", "peak_bytes"); err != nil {
			return nil, err
		}
		most := limits.MaxPeak.bytes(basePeak)
		add("peak memory", fmt.Sprintf("%s (baseline %s)", Bytes(float64(candPeak)), Bytes(float64(basePeak))), limits.MaxPeak.String(), verdict(float64(candPeak) <= most))
	}
	if limits.MaxKLRise != nil {
		if err := need("max_kl_rise", "kl_mean"); err != nil {
			return nil, err
		}
		add("KL divergence", fmt.Sprintf("%+.4g nats against the baseline's", mean(kl)), fmt.Sprintf("+%g nats", *limits.MaxKLRise), verdict(mean(kl) <= *limits.MaxKLRise))
	}
	return list, nil
}
