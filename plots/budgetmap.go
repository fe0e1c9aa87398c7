package plots

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/snapbench/snapbench/results"
)

// BudgetMap draws a measure by budget (across, in tokens or shares of the prompt) and by the variants' other differences
// (down): if there are several policies, the policies with the parameters that vary; else the parameter with the most
// values, and a panel for each combination of the others. The full cache is a separate column. Several tasks are averaged
// with equal weights.
func BudgetMap(set results.Set, m results.Measure) ([]Figure, error) {
	return budgetMaps(set, m, results.Means(set, m))
}

// budgetMaps is BudgetMap where the measure's tables are known; their intervals take most of a picture's time.
func budgetMaps(set results.Set, m results.Measure, tables []results.Table) ([]Figure, error) {
	var figures []Figure
	for i, g := range groups(set, m, func(*results.Row) bool { return true }, false) {
		if h, ok := budgetHeat(g, m, tables[i]); ok {
			figures = append(figures, h.figure(fileName("budget", m.Name, g.suffix)))
		}
	}
	if figures == nil {
		return nil, fmt.Errorf("budget map of %s: %w: it needs variants with a budget", m.Name, ErrNothing)
	}
	return figures, nil
}

func budgetHeat(g group, m results.Measure, t results.Table) (heat, bool) {
	kinds, budgets, full := g.kindsAndBudgets()
	if len(budgets) == 0 || len(budgets) == 1 && budgets[0] == "full" { // servers have none
		return heat{}, false
	}
	h := heat{title: g.title, subtitle: joined(g.subtitle, g.shared(kinds)), xlabel: "Budget (" + budgetUnit(budgets) + ")", bar: barTitle(m)}
	if results.TraitsOf(g.rows).Policy {
		h.ylabel = "Policy"
	}
	whole := t.Lines[len(t.Lines)-1] // of the only task, or the average of all
	cell := func(variant, label, budget string) spot {
		c := results.Cell{Interval: results.Interval{Mean: math.NaN(), Lo: math.NaN(), Hi: math.NaN()}}
		if k := slices.Index(t.Variants, variant); k >= 0 {
			c = whole.Cells[k]
		}
		s := cellSpot(m, whole, c, label, variant)
		if label == "" {
			s.fields = fieldsOf("task", whole.Name, "variant", g.labels[variant])
		} else {
			s.fields = append(s.fields, fieldsOf("budget", budgetName(budget))...)
		}
		return *s
	}
	for _, part := range budgetPanels(g.underFull(kinds)) {
		p := panel{title: part.title, sideValue: math.NaN()}
		for i, b := range budgets {
			p.xs = append(p.xs, budgetName(b))
			if i > 0 && unitOf(b) != unitOf(budgets[i-1]) {
				p.gaps = append(p.gaps, i)
			}
		}
		for at, k := range part.kinds {
			p.ys = append(p.ys, part.labels[at])
			p.addRow(len(budgets), func(i int) spot {
				return cell(k.variants[budgets[i]], joinedWords(part.title, part.labels[at]), budgets[i])
			})
		}
		if full != "" {
			p.side, p.sideSpot = g.fullName(), cell(full, "", "")
			p.sideValue = p.sideSpot.value
		}
		h.panels = append(h.panels, p)
	}
	if !slices.ContainsFunc(h.panels, func(p panel) bool { return !p.empty() }) {
		return heat{}, false
	}
	h.columns = len(h.panels)
	if h.columns > 3 {
		h.columns = int(math.Ceil(math.Sqrt(float64(h.columns))))
	}
	h.setScale(m.Points, len(g.tasks) > 1)
	return h, true
}

// budgetPanel is the kinds of one panel, with their labels.
type budgetPanel struct {
	title  string
	kinds  []kind
	labels []string
}

// budgetPanels distributes kinds over panels: one panel, unless they are of one policy and differ in several parameters.
func budgetPanels(kinds []kind) []budgetPanel {
	one := budgetPanel{kinds: kinds}
	values := map[string]map[string]bool{}
	for _, k := range kinds {
		one.labels = append(one.labels, k.label)
		for name, text := range k.row.Params {
			if values[name] == nil {
				values[name] = map[string]bool{}
			}
			values[name][text] = true
		}
	}
	var varied []string
	complete := true // every kind has every parameter that varies, and is of the same policy
	for name, texts := range values {
		if len(texts) > 1 {
			varied = append(varied, name)
		}
	}
	slices.SortFunc(varied, results.Natural)
	for _, k := range kinds {
		complete = complete && k.row.Policy == kinds[0].row.Policy && !slices.ContainsFunc(varied, func(name string) bool { return k.row.Params[name] == "" })
	}
	if len(varied) < 2 || !complete {
		return []budgetPanel{one}
	}
	down := slices.MaxFunc(varied, func(a, b string) int { return len(values[a]) - len(values[b]) })
	at := map[string]int{}
	var panels []budgetPanel
	for _, k := range kinds {
		var words []string
		for _, name := range varied {
			if name != down {
				words = append(words, name+" "+k.row.Params[name])
			}
		}
		title := strings.Join(words, ", ")
		i, ok := at[title]
		if !ok {
			i = len(panels)
			at[title] = i
			panels = append(panels, budgetPanel{title: title})
		}
		label := down + " " + k.row.Params[down]
		if slices.Contains(panels[i].labels, label) {
			return []budgetPanel{one} // two kinds have the same parameters
		}
		panels[i].kinds, panels[i].labels = append(panels[i].kinds, k), append(panels[i].labels, label)
	}
	slices.SortStableFunc(panels, func(a, b budgetPanel) int { return results.Natural(a.title, b.title) })
	for _, p := range panels {
		sortTogether(p.labels, p.kinds)
	}
	return panels
}

// sortTogether sorts labels, and their kinds in the same way.
func sortTogether(labels []string, kinds []kind) {
	of := map[string]kind{}
	for i, l := range labels {
		of[l] = kinds[i]
	}
	slices.SortStableFunc(labels, results.Natural)
	for i, l := range labels {
		kinds[i] = of[l]
	}
}

// joinedWords joins what is not empty of a variant's words.
func joinedWords(words ...string) string {
	return strings.Join(slices.DeleteFunc(words, func(s string) bool { return s == "" }), ", ")
}

// joined joins the parts of a subtitle that are not empty.
func joined(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), "; ")
}
