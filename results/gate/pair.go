package gate

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/snapbench/snapbench/results"
)

// noAnswers is why a row without an error has no score.
const noAnswers = "it has no answers, so no score"

// contest is one variant of the candidate and what it is held against.
type contest struct {
	subject, variant, label string
	tasks                   []string
	base, cand              map[string]map[string]*results.Row // task → sample → row
	across                  Across
}

// footprint is what the candidate's caches take.
func (c contest) footprint() results.Footprint {
	var rows []*results.Row
	for _, task := range c.tasks {
		for _, s := range samplesOf(nil, c.cand[task]) {
			rows = append(rows, c.cand[task][s])
		}
	}
	return results.FootprintOf(rows)
}

// match pairs the variants of two parts.
func (p *pairing) match(subject string, base, cand []results.Row, baseRun, candRun results.Run, across Across) {
	bv, cv := baseRun.VariantsOf(base), candRun.VariantsOf(cand)
	labels := results.Labels(cand)
	tasks := candRun.TasksOf(append(slices.Clone(cand), base...))
	add := func(b, c string) {
		x, y := ofVariant(base, b), ofVariant(cand, c)
		p.engines(x, y, across)
		p.contests = append(p.contests, contest{
			subject: subject, variant: c, label: labels[c], tasks: tasks, across: across,
			base: byTask(x, b, &p.reasons), cand: byTask(y, c, &p.reasons),
		})
	}
	if len(bv) == 1 && len(cv) == 1 {
		if results.VariantData(base)[bv[0]] != results.VariantData(cand)[cv[0]] {
			p.note("%s is held against %s: each run has one variant", cv[0], bv[0])
		}
		add(bv[0], cv[0])
		return
	}
	held := results.Partners(base, cand, bv, cv)
	hint := func(string) string { return "" }
	if across.has(acrossLabel) {
		p.pairLabels(held, base, cand, bv, cv)
	} else {
		other := maps.Clone(held)
		new(pairing).pairLabels(other, base, cand, bv, cv)
		hint = func(v string) string {
			if other[v] == "" {
				return ""
			}
			return fmt.Sprintf(" (--across %s holds it against %s)", acrossLabel, other[v])
		}
	}
	for _, v := range cv {
		if b, ok := held[v]; ok {
			add(b, v)
		} else {
			p.reasons = append(p.reasons, fmt.Sprintf("variant %s is only in the candidate", v)+hint(v))
		}
	}
	paired := map[string]bool{}
	for _, b := range held {
		paired[b] = true
	}
	for _, v := range bv {
		if !paired[v] {
			p.reasons = append(p.reasons, fmt.Sprintf("variant %s is only in the baseline", v))
		}
	}
}

func ofVariant(rows []results.Row, variant string) (list []results.Row) {
	for _, r := range rows {
		if r.Variant == variant {
			list = append(list, r)
		}
	}
	return list
}

// pairLabels pairs the servers that have no partner yet and differ in their labels alone, in the order of their runs.
func (p *pairing) pairLabels(held map[string]string, base, cand []results.Row, bv, cv []string) {
	of, taken := results.VariantData(base), map[string]bool{}
	for _, b := range held {
		taken[b] = true
	}
	for _, v := range cv {
		if held[v] != "" {
			continue
		}
		data := results.VariantData(cand)[v]
		at := slices.IndexFunc(bv, func(b string) bool { return !taken[b] && of[b] == data })
		if at >= 0 {
			held[v], taken[bv[at]] = bv[at], true
			p.differ(Difference{acrossLabel, bv[at], v})
		}
	}
}

func byTask(rows []results.Row, variant string, reasons *[]string) map[string]map[string]*results.Row {
	m := map[string]map[string]*results.Row{}
	for i := range rows {
		r := &rows[i]
		if r.Variant != variant {
			continue
		}
		if m[r.Task] == nil {
			m[r.Task] = map[string]*results.Row{}
		}
		if m[r.Task][r.Sample] != nil {
			*reasons = append(*reasons, fmt.Sprintf("%s: sample %q is there twice under %s", r.Task, r.Sample, r.Variant))
		}
		m[r.Task][r.Sample] = r
	}
	return m
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
			if x.Score == nil {
				failedBase = append(failedBase, s+" ("+cmp.Or(results.Brief(x.Error), noAnswers)+")")
			}
			if y.Score == nil && !failedAlone(x, y) {
				failedCand = append(failedCand, s+" ("+cmp.Or(results.Brief(y.Error), noAnswers)+")")
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
			if otherPrompt(x, y) && !c.across.has(acrossPrompt) {
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
				hint := ""
				if what == "prompt" {
					hint = " (--across prompt pairs them by sample, as for two tokenizers)"
				}
				say("%s: another %s in %s%s", task, what, few(list), hint)
			}
		}
	}
	return reasons
}

// otherPrompt says that two rows answer prompts that are known to differ.
func otherPrompt(x, y *results.Row) bool {
	return x.PromptSHA256 != y.PromptSHA256 && x.PromptSHA256 != "" && y.PromptSHA256 != ""
}

// question names a sample, whatever variants answered it.
type question struct{ subject, task, sample string }

// prompts notes the samples of one id that were asked in other words, and those of which that is not known.
func (c contest) prompts(other, unknown map[question]bool) {
	for _, task := range c.tasks {
		for s, y := range c.cand[task] {
			switch x := c.base[task][s]; {
			case x == nil:
			case otherPrompt(x, y):
				other[question{c.subject, task, s}] = true
			case x.PromptSHA256 != y.PromptSHA256 || x.PromptSHA256 == "":
				unknown[question{c.subject, task, s}] = true
			}
		}
	}
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

func samplesOf(a, b map[string]*results.Row) []string {
	var list []string
	for s := range a {
		list = append(list, s)
	}
	for s := range b {
		if a[s] == nil {
			list = append(list, s)
		}
	}
	slices.SortFunc(list, results.Natural)
	return list
}
