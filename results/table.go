package results

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Measure is a number of every row that tables and pictures can show.
type Measure struct {
	Name   string
	Title  string
	Points bool // shown as 0 to 100
	Less   bool // smaller is better
	Of     func(*Row) *float64
}

// Measures are the ones that tables know. The first is the score.
func Measures() []Measure {
	return []Measure{
		{Name: "score", Title: "score", Points: true, Of: func(r *Row) *float64 { return r.Score }},
		{Name: "recalled", Title: "recalled", Points: true, Of: func(r *Row) *float64 { return r.Recalled }},
		{Name: "top1_agreement", Title: "top-1 agreement", Points: true, Of: func(r *Row) *float64 { return r.Top1Agreement }},
		{Name: "kl_mean", Title: "KL divergence (nats)", Less: true, Of: func(r *Row) *float64 { return r.KLMean }},
	}
}

// Table is tasks × variants of one measure, for rows that differ in nothing else. Its lines are the tasks, then the
// averages of the run's groups, then the average of all tasks; an average weighs every task the same, as LongBench's
// does.
type Table struct {
	Title    string // what the rows have in common: model, protocol, device
	Measure  Measure
	Baseline string   // the full cache's variant, or empty where there is none
	Variants []string // as in the rows
	Labels   []string // the same, short
	Lines    []Line
	Warnings []string
}

// Line is one task or one average.
type Line struct {
	Name    string
	Tasks   []string // one for a task
	Average bool
	Cells   []Cell // by variant
}

// Cell is what one variant reached in one task.
type Cell struct {
	Interval             // N is 0 where nothing was scored
	Failed   int         // rows with an error
	Drop     *Comparison // against the baseline, paired by sample; nil for the baseline itself, without one, and for other measures than the score
}

// Subject is what rows of one table have in common.
type Subject struct{ Model, Revision, Protocol, Device, DType string }

// Subject is what the row is about. Its device is a kind, "cuda" for "cuda:1": samples that were spread over cards
// share a table.
func (r *Row) Subject() Subject {
	return Subject{r.Model, r.Revision, r.Protocol, r.deviceKind(), r.DType}
}

func (s Subject) String() string {
	parts := []string{s.Model}
	if s.Revision != "" {
		rev := strings.TrimPrefix(s.Revision, "sha256:")
		if len(rev) > 12 {
			rev = rev[:12]
		}
		parts[0] += "@" + rev
	}
	if s.Protocol != "" {
		parts = append(parts, "protocol "+s.Protocol)
	}
	return strings.Join(append(parts, s.Device+" "+s.DType), ", ")
}

// Subjects splits rows by model, protocol, device and number format, in the order of their first row.
func Subjects(rows []Row) (list []Subject, parts [][]Row) {
	at := map[Subject]int{}
	for i := range rows {
		s := rows[i].Subject()
		k, ok := at[s]
		if !ok {
			k = len(list)
			at[s] = k
			list, parts = append(list, s), append(parts, nil)
		}
		parts[k] = append(parts[k], rows[i])
	}
	return list, parts
}

// Tables makes one table for each subject of a set, of one measure; none for a subject whose rows lack it.
func Tables(set Set, m Measure) []Table { return tables(set, m, true) }

// Means is Tables without drops, which cost most of the time and which pictures do not show.
func Means(set Set, m Measure) []Table { return tables(set, m, false) }

func tables(set Set, m Measure, drops bool) []Table {
	var tables []Table
	subjects, parts := Subjects(set.Rows)
	for i, rows := range parts {
		if t, ok := newTable(set.Run, rows, m, drops); ok {
			t.Title = subjects[i].String()
			tables = append(tables, t)
		}
	}
	return tables
}

func newTable(run Run, rows []Row, m Measure, drops bool) (Table, bool) {
	t := Table{Measure: m}
	t.Variants = names(rows, func(r *Row) string { return r.Variant }, run.Variants)
	labels := Labels(rows)
	for _, v := range t.Variants {
		t.Labels = append(t.Labels, labels[v])
	}
	tasks := names(rows, func(r *Row) string { return r.Task }, run.Tasks)

	type place struct{ task, variant string }
	type value struct {
		sample string
		v      float64
	}
	found, failed := map[place][]value{}, map[place]int{}
	type identity struct{ task, sample, variant string }
	seen := map[identity]bool{}
	any := false
	twice := 0
	for i := range rows {
		r := &rows[i]
		if r.Policy == "full" {
			t.Baseline = r.Variant
		}
		id := identity{r.Task, r.Sample, r.Variant}
		if seen[id] {
			twice++
			continue
		}
		seen[id] = true
		p := place{r.Task, r.Variant}
		if r.Error != "" {
			failed[p]++
		}
		if v := m.Of(r); v != nil {
			any = true
			found[p] = append(found[p], value{r.Sample, *v})
		}
	}
	if !any {
		return t, false
	}
	if twice > 0 {
		t.Warnings = append(t.Warnings, fmt.Sprintf("%d rows have the task, sample and variant of another row (they differ in something that is not shown, such as the limit of new tokens) and are left out", twice))
	}

	drops = drops && m.Name == "score" && t.Baseline != ""
	scores := func(task, variant string) []float64 {
		list := found[place{task, variant}]
		x := make([]float64, len(list))
		for i, v := range list {
			x[i] = v.v
		}
		return x
	}
	pairs := func(task, variant string) []Pair {
		base := map[string]float64{}
		for _, v := range found[place{task, t.Baseline}] {
			base[v.sample] = v.v
		}
		var list []Pair
		for _, v := range found[place{task, variant}] {
			if b, ok := base[v.sample]; ok {
				list = append(list, Pair{b, v.v})
			}
		}
		return list
	}
	line := func(name string, tasks []string, average bool) Line {
		l := Line{Name: name, Tasks: tasks, Average: average}
		for _, v := range t.Variants {
			var c Cell
			var lists [][]float64
			var paired [][]Pair
			complete := true
			for _, task := range tasks {
				x := scores(task, v)
				c.Failed += failed[place{task, v}]
				complete = complete && len(x) > 0
				lists = append(lists, x)
				if v != t.Baseline {
					paired = append(paired, pairs(task, v))
				}
			}
			switch {
			case !complete:
				c.Interval = Interval{Mean: math.NaN(), Lo: math.NaN(), Hi: math.NaN()}
			case m.Points:
				c.Interval = AverageInterval(lists)
			default:
				c.Interval = plainAverage(lists)
			}
			if complete && drops && v != t.Baseline && !slices.ContainsFunc(paired, func(p []Pair) bool { return len(p) == 0 }) {
				d := Compare(paired, 0)
				c.Drop = &d
			}
			l.Cells = append(l.Cells, c)
		}
		return l
	}
	for _, task := range tasks {
		t.Lines = append(t.Lines, line(task, []string{task}, false))
		for k, v := range t.Variants {
			if t.Baseline == "" || v == t.Baseline || t.Lines[len(t.Lines)-1].Cells[k].N == 0 {
				continue
			}
			if have, paired := len(scores(task, v)), len(pairs(task, v)); paired < max(have, len(scores(task, t.Baseline))) {
				t.Warnings = append(t.Warnings, fmt.Sprintf("%s: %s and %s have only %d samples in common", task, t.Labels[k], labels[t.Baseline], paired))
			}
		}
	}
	if len(tasks) > 1 {
		for _, g := range run.Groups {
			var present []string
			for _, task := range g.Tasks {
				if slices.Contains(tasks, task) {
					present = append(present, task)
				}
			}
			// A group of all the tasks there are is the average that comes last.
			if len(present) > 0 && len(present) < len(tasks) {
				name := g.Name
				if len(present) < len(g.Tasks) {
					name = fmt.Sprintf("%s (%d of %d)", g.Name, len(present), len(g.Tasks))
				}
				t.Lines = append(t.Lines, line(name, present, true))
			}
		}
		t.Lines = append(t.Lines, line(fmt.Sprintf("average of %d", len(tasks)), tasks, true))
	}
	return t, true
}

// AverageInterval is MeanInterval for an average over tasks that each weigh the same, of scores within 0 to 1: the
// samples of every task are drawn anew within it. One task is MeanInterval itself.
func AverageInterval(tasks [][]float64) Interval {
	if len(tasks) == 1 {
		return MeanInterval(tasks[0])
	}
	iv := Interval{Lo: math.NaN(), Hi: math.NaN()}
	few := len(tasks) == 0
	varied := 0
	for _, x := range tasks {
		iv.N += len(x)
		iv.Mean += mean(x) / float64(len(tasks))
		few = few || len(x) < 2
		varied += len(x) - mostFrequent(x)
	}
	switch {
	case iv.N == 0:
		iv.Mean = math.NaN()
	case few || varied < 10:
		// As in Compare: the weighted scores as one sample, on the safe side.
		var all []float64
		top := 0.0
		for _, x := range tasks {
			w := float64(iv.N) / float64(len(tasks)*len(x))
			top = max(top, w)
			for _, v := range x {
				all = append(all, v*w)
			}
		}
		iv.Method = "Gaffke"
		iv.Lo, iv.Hi = gaffkeInterval(all, 0, top, (1-confidence)/2)
		iv.Hi = min(iv.Hi, 1)
	default:
		iv.Method = "stratified bootstrap"
		rng := generator(tasks...)
		draws := make([]float64, resamples/5)
		for b := range draws {
			for _, x := range tasks {
				sum := 0.0
				for range x {
					sum += x[rng.IntN(len(x))]
				}
				draws[b] += sum / float64(len(x)) / float64(len(tasks))
			}
		}
		slices.Sort(draws)
		iv.Lo, iv.Hi = quantile(draws, (1-confidence)/2), quantile(draws, (1+confidence)/2)
	}
	return iv
}

// PlainInterval is for values without a known top, such as a divergence or a time: BCa where there are enough samples,
// else no interval.
func PlainInterval(x []float64) Interval {
	iv := Interval{Mean: mean(x), Lo: math.NaN(), Hi: math.NaN(), N: len(x)}
	switch {
	case len(x) >= 10 && len(x)-mostFrequent(x) >= 5:
		iv.Method = "BCa bootstrap"
		iv.Lo, iv.Hi = bca(x, (1-confidence)/2, generator(x))
	case len(x) > 0 && mostFrequent(x) == len(x) && x[0] == 0:
		iv.Lo, iv.Hi = 0, 0 // a divergence of exactly zero everywhere is no estimate
	}
	return iv
}

func plainAverage(tasks [][]float64) Interval {
	if len(tasks) == 1 {
		return PlainInterval(tasks[0])
	}
	iv := Interval{Lo: math.NaN(), Hi: math.NaN()}
	for _, x := range tasks {
		iv.N += len(x)
		iv.Mean += mean(x) / float64(len(tasks))
	}
	return iv
}

// Labels gives every variant a short name: only the parameters in which variants differ. Where that would make two
// variants alike, all keep their full text.
func Labels(rows []Row) map[string]string {
	first := map[string]*Row{}
	var order []string
	for i := range rows {
		if first[rows[i].Variant] == nil {
			first[rows[i].Variant] = &rows[i]
			order = append(order, rows[i].Variant)
		}
	}
	number := func(prefix string, p *int) string {
		if p == nil {
			return ""
		}
		return fmt.Sprint(prefix, *p)
	}
	parts := []func(*Row) string{
		func(r *Row) string { return r.Policy },
		func(r *Row) string { return r.Budget },
		func(r *Row) string { return number("w", r.Window) },
		func(r *Row) string { return number("k", r.Kernel) },
		func(r *Row) string { return r.Pooling },
		func(r *Row) string { return r.GQA },
	}
	differs := make([]bool, len(parts))
	for i, part := range parts {
		values := map[string]bool{}
		for _, r := range first {
			if r.Policy != "full" {
				values[part(r)] = true
			}
		}
		differs[i] = len(values) > 1
	}
	differs[1] = true // a budget always says something
	labels, taken := map[string]string{}, map[string]bool{}
	for _, v := range order {
		r := first[v]
		label := "full"
		if r.Policy != "full" {
			var words []string
			for i, part := range parts {
				if w := part(r); differs[i] && w != "" {
					words = append(words, w)
				}
			}
			label = strings.Join(words, " ")
		}
		if label == "" || taken[label] {
			for _, v := range order {
				labels[v] = v
			}
			return labels
		}
		taken[label], labels[v] = true, label
	}
	return labels
}

// Cost is what one variant cost, over all rows of a subject.
type Cost struct {
	Variant, Label         string
	Rows                   int
	PromptTokens           float64 // mean
	PrefillSeconds         float64 // mean
	PrefillTokensPerSecond float64
	DecodeTokensPerSecond  float64 // tokens of the variant over the time in which it was decoded, with whatever was decoded beside it
	CacheBytes             float64 // mean
	KeptMean               float64
	PeakBytes              int64 // most
	AuditFailures          int
}

// Costs sums up time and memory by variant; what no row knows is NaN (PeakBytes: 0).
func Costs(run Run, rows []Row) []Cost {
	labels := Labels(rows)
	var costs []Cost
	for _, v := range names(rows, func(r *Row) string { return r.Variant }, run.Variants) {
		c := Cost{Variant: v, Label: labels[v]}
		var prompt, prefill, cache, kept []float64
		preTokens, preSeconds, newTokens, decode := 0.0, 0.0, 0.0, 0.0
		for i := range rows {
			r := &rows[i]
			if r.Variant != v {
				continue
			}
			c.Rows++
			if r.Audit != "" {
				c.AuditFailures++
			}
			if r.PromptTokens != nil {
				prompt = append(prompt, float64(*r.PromptTokens))
			}
			if r.PrefillSeconds != nil {
				prefill = append(prefill, *r.PrefillSeconds)
				if r.PromptTokens != nil {
					preTokens, preSeconds = preTokens+float64(*r.PromptTokens), preSeconds+*r.PrefillSeconds
				}
			}
			if r.NewTokens != nil && r.DecodeSeconds != nil {
				newTokens, decode = newTokens+float64(*r.NewTokens), decode+*r.DecodeSeconds
			}
			if r.CacheBytes != nil {
				cache = append(cache, float64(*r.CacheBytes))
			}
			if r.KeptMean != nil {
				kept = append(kept, *r.KeptMean)
			}
			if r.PeakBytes != nil {
				c.PeakBytes = max(c.PeakBytes, *r.PeakBytes)
			}
		}
		c.PromptTokens, c.PrefillSeconds, c.CacheBytes, c.KeptMean = mean(prompt), mean(prefill), mean(cache), mean(kept)
		c.PrefillTokensPerSecond, c.DecodeTokensPerSecond = rate(preTokens, preSeconds), rate(newTokens, decode)
		costs = append(costs, c)
	}
	return costs
}

func rate(amount, seconds float64) float64 {
	if seconds <= 0 {
		return math.NaN()
	}
	return amount / seconds
}

// Failure is a reason why rows have no score, and how many share it.
type Failure struct {
	Task, Variant, Error string
	Rows                 int
}

// Failures lists errors and audit failures, the most frequent first.
func Failures(rows []Row, of func(*Row) string) []Failure {
	count := map[Failure]int{}
	for i := range rows {
		if e := of(&rows[i]); e != "" {
			count[Failure{Task: rows[i].Task, Variant: rows[i].Variant, Error: e}]++
		}
	}
	var list []Failure
	for f, n := range count {
		f.Rows = n
		list = append(list, f)
	}
	slices.SortFunc(list, func(a, b Failure) int {
		return cmp.Or(cmp.Compare(b.Rows, a.Rows), Natural(a.Task, b.Task), Natural(a.Variant, b.Variant), cmp.Compare(a.Error, b.Error))
	})
	return list
}
