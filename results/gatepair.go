package results

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// noAnswers is why a row without an error has no score.
const noAnswers = "it has no answers, so no score"

// contest is one variant of the candidate and what it is held against.
type contest struct {
	subject, variant, label string
	tasks                   []string
	base, cand              map[string]map[string]*Row // task → sample → row
}

// footprint is what the candidate's caches take.
func (c contest) footprint() Footprint {
	var rows []*Row
	for _, task := range c.tasks {
		for _, s := range samplesOf(nil, c.cand[task]) {
			rows = append(rows, c.cand[task][s])
		}
	}
	return FootprintOf(rows)
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
	held := partners(base, cand, bv, cv)
	for _, v := range cv {
		if b, ok := held[v]; ok {
			add(b, v)
		} else {
			reasons = append(reasons, fmt.Sprintf("variant %s is only in the candidate", v))
		}
	}
	paired := map[string]bool{}
	for _, b := range held {
		paired[b] = true
	}
	for _, v := range bv {
		if !paired[v] {
			reasons = append(reasons, fmt.Sprintf("variant %s is only in the baseline", v))
		}
	}
	return list, reasons
}

// partners gives the candidate's variants the baseline's that they are held against: that of the same text, else the
// only one of the same policy, budget and parameters, whose text another version wrote otherwise. A server's label
// says which of two runs it is of, and is no parameter.
func partners(base, cand []Row, bv, cv []string) map[string]string {
	held := map[string]string{}
	left := func(variants, other []string, rows []Row) map[string][]string {
		data, of := asData(rows), map[string][]string{}
		for _, v := range variants {
			if !slices.Contains(other, v) {
				of[data[v]] = append(of[data[v]], v)
			}
		}
		return of
	}
	for _, v := range cv {
		if slices.Contains(bv, v) {
			held[v] = v
		}
	}
	inBase := left(bv, cv, base)
	for data, c := range left(cv, bv, cand) {
		if b := inBase[data]; len(c) == 1 && len(b) == 1 {
			held[c[0]] = b[0]
		}
	}
	return held
}

// asData gives every variant its policy, budget and parameters.
func asData(rows []Row) map[string]string {
	of := map[string]string{}
	for i := range rows {
		if r := &rows[i]; of[r.Variant] == "" {
			params := maps.Clone(r.Params)
			if r.Policy == "server" {
				delete(params, "label")
			}
			of[r.Variant] = fmt.Sprintf("%q %q %q", r.Policy, r.Budget, Params(params))
		}
	}
	return of
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
				failedBase = append(failedBase, s+" ("+cmp.Or(x.Error, noAnswers)+")")
			}
			if y.Score == nil {
				failedCand = append(failedCand, s+" ("+cmp.Or(y.Error, noAnswers)+")")
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
