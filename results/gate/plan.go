package gate

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/snapbench/snapbench/results"
)

// Plan says how many samples each comparison takes for its limit, before they are run.
type Plan struct {
	From        string     `json:"from"` // where the spreads come from
	Scale       string     `json:"scale"`
	Confidence  float64    `json:"confidence"`
	Comparisons int        `json:"comparisons"` // for which the numbers are corrected
	Lines       []PlanLine `json:"plan"`

	pilots  []results.Pilot
	allowed []Limit
}

// PlanLine is the plan for one task, or for the average of all, whose samples are those of all tasks together. Spread and
// Limit are points of 0 to 100.
type PlanLine struct {
	Label      string  `json:"label,omitempty"` // the pilot's variant
	Task       string  `json:"task"`
	Samples    int     `json:"pilot_samples,omitempty"` // that the spread was seen on
	Spread     float64 `json:"spread"`                  // standard deviation of a sample's difference
	Differ     float64 `json:"differ"`                  // percent of the samples whose scores differ
	Limit      float64 `json:"limit"`
	Set        *int    `json:"samples_set"`        // for --about set; null where no number does
	Population *int    `json:"samples_population"` // for --about population; null where no number does
}

func newPlan(from string, limits Limits) *Plan {
	return &Plan{From: from, Scale: Scale, Confidence: limits.confidence()}
}

func (p *Plan) add(l PlanLine, pilot results.Pilot, limit Limit) {
	l.Spread, l.Differ, l.Limit = 100*pilot.Spread, 100*pilot.Differ, 100*limit.of(pilot.Base)
	p.Lines, p.pilots, p.allowed = append(p.Lines, l), append(p.pilots, pilot), append(p.allowed, limit)
}

// done counts the samples, for as many comparisons as there are.
func (p *Plan) done() *Plan {
	p.Comparisons = len(p.Lines)
	alpha := (1 - p.Confidence) / 2 / float64(len(p.Lines))
	for i := range p.Lines {
		l, limit := &p.Lines[i], p.allowed[i].of(p.pilots[i].Base)
		if n := p.pilots[i].ToStay(limit, alpha); n > 0 {
			l.Set = &n
		}
		if n := p.pilots[i].ToPass(limit, alpha); n > 0 {
			l.Population = &n
		}
	}
	return p
}

// PlanRuns plans from two runs, PlanVariants from the variants of one, held to one of them.
func PlanRuns(base, cand results.Set, limits Limits) (*Plan, error) {
	pair, err := pairRuns(base, cand, limits)
	if err != nil {
		return nil, err
	}
	return pair.plan(fmt.Sprintf("the pilot %s, %s", base.Name, cand.Name), limits)
}

// PlanVariants is PlanRuns within one run.
func PlanVariants(set results.Set, against string, limits Limits) (*Plan, error) {
	pair, err := pairVariants(set, against, limits)
	if err != nil {
		return nil, err
	}
	return pair.plan(fmt.Sprintf("the pilot %s, against %s", set.Name, against), limits)
}

func (p *pairing) plan(from string, limits Limits) (*Plan, error) {
	tests, err := p.tests(limits)
	if err != nil {
		return nil, err
	}
	plan := newPlan(from, limits)
	for _, t := range tests {
		c := results.Compare(t.pairs, 1) // no interval is wanted
		plan.add(PlanLine{Label: t.line.Label, Task: t.line.Task, Samples: t.line.Samples}, c.Pilot(), t.limit)
	}
	return plan.done(), nil
}

// PlanFlips plans for tasks whose answers are right or wrong, of which a share, "5%", turns into the other, as many each
// way. Without tasks it is one, of any name.
func PlanFlips(share string, tasks []string, limits Limits) (*Plan, error) {
	percent, err := strconv.ParseFloat(strings.TrimSuffix(share, "%"), 64)
	flips := percent / 100
	if err != nil || !strings.HasSuffix(share, "%") || !(flips > 0 && flips <= 1) {
		return nil, fmt.Errorf("%q: want a share of the answers, above 0 and up to 100%%, such as 5%%", share)
	}
	if len(tasks) == 0 {
		tasks = []string{"any"}
	}
	plan := newPlan(fmt.Sprintf("an assumption: answers are right or wrong, and %g %% of them turn, as many each way", 100*flips), limits)
	for _, task := range tasks {
		limit := limits.task(task)
		if limit.Relative {
			return nil, fmt.Errorf("limit %s: a share of a baseline's score, which nobody knows yet: give points, or a pilot run", limit)
		}
		plan.add(PlanLine{Task: task}, results.Pilot{Spread: math.Sqrt(flips), Differ: flips, Binary: true}, limit)
	}
	return plan.done(), nil
}

// Text writes the plan for a terminal of a width.
func (p *Plan) Text(width int) string {
	of := func(head string, spare int, cell func(PlanLine) string) column {
		c := column{head: head, spare: spare}
		for _, l := range p.Lines {
			c.cells = append(c.cells, cell(l))
		}
		return c
	}
	samples := func(n *int) string {
		switch {
		case n == nil:
			return "no number"
		case *n >= 1e6:
			return "> 1000000"
		case *n < 100:
			return fmt.Sprint(*n)
		}
		return about(*n)
	}
	list := []column{
		of("variant", 0, func(l PlanLine) string { return l.Label }), of("task", -1, func(l PlanLine) string { return l.Task }),
		of("seen on", 3, func(l PlanLine) string { return fmt.Sprint(l.Samples) }),
		of("differ, %", 2, func(l PlanLine) string { return results.Fixed(l.Differ, 1) }),
		of("spread", 1, func(l PlanLine) string { return results.Fixed(l.Spread, 2) }),
		of("limit", 4, func(l PlanLine) string { return results.Fixed(l.Limit, 2) }),
		of("samples, set", -1, func(l PlanLine) string { return samples(l.Set) }),
		of("samples, population", -1, func(l PlanLine) string { return samples(l.Population) }),
	}
	if p.Lines[0].Samples == 0 {
		list = append(list[:2:2], list[3:]...)
	}
	if list[0].constant() {
		list = list[1:]
	}
	t := fit(list, make([]bool, len(p.Lines)), width)
	notes := append(t.Notes,
		"points of 0 to 100; spread: standard deviation of a sample's difference; an average's samples are those of all tasks together",
		fmt.Sprintf("samples, set: from so many on a change that is noise of this spread fails the gate about these samples with at most %.3g %% over %s", 50*(1-p.Confidence), plural(p.Comparisons, "comparison", "comparisons")),
		"samples, population: with so many the gate about all prompts passes what loses nothing, and fails what loses twice the limit, four times of five")
	t.Notes = nil
	var b strings.Builder
	b.WriteString(results.Wrap(results.Visible("From "+p.From), width) + "\n")
	b.WriteString(t.Text(0))
	for _, n := range notes {
		b.WriteString(results.Wrap(results.Visible(n), width) + "\n")
	}
	return b.String()
}

// WriteJSON writes the plan as JSON.
func (p *Plan) WriteJSON(w io.Writer) error { return writeJSON(w, p) }
