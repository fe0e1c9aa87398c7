package plots

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/snapbench/snapbench/results"
)

// kind is a row of a budget map or a line of a chart: variants that differ only in their budget.
type kind struct {
	label    string
	row      *results.Row      // a row of the first variant
	variants map[string]string // budget → variant
}

// kindsAndBudgets splits the variants of a group, except the baseline, into kinds. Policies are in the order in which they
// were asked, the kinds of one policy are ordered by their parameters.
func (g group) kindsAndBudgets() (kinds []kind, budgets []string, baseline string) {
	seen := map[string]bool{}
	var rows []*results.Row
	for i := range g.rows {
		r := &g.rows[i]
		if seen[r.Variant] {
			continue
		}
		seen[r.Variant] = true
		if r.Variant == g.baseline {
			continue
		}
		rows = append(rows, r)
	}
	slices.SortStableFunc(rows, func(a, b *results.Row) int {
		return cmp.Compare(slices.Index(g.variants, a.Variant), slices.Index(g.variants, b.Variant))
	})
	traits := results.TraitsOf(g.rows)
	at := map[string]int{}
	policies := map[string]int{} // policy → its place in the order
	for _, r := range rows {
		if _, ok := policies[r.Policy]; !ok {
			policies[r.Policy] = len(policies)
		}
		label := strings.Join(traits.Words(r), ", ")
		if label == "" { // nothing differs
			label = r.Policy
		}
		k, ok := at[label]
		if ok {
			if _, taken := kinds[k].variants[r.Budget]; taken {
				// The two variants differ in something that no column has: give each its own line.
				label, ok = r.Variant, false
			}
		}
		if !ok {
			k = len(kinds)
			at[label] = k
			kinds = append(kinds, kind{label: label, row: r, variants: map[string]string{}})
		}
		kinds[k].variants[r.Budget] = r.Variant
		if !slices.Contains(budgets, r.Budget) {
			budgets = append(budgets, r.Budget)
		}
	}
	sortBudgets(budgets)
	slices.SortStableFunc(kinds, func(a, b kind) int {
		return cmp.Or(cmp.Compare(policies[a.row.Policy], policies[b.row.Policy]), results.Natural(a.label, b.label))
	})
	return kinds, budgets, g.baseline
}

// sortBudgets puts budgets in tokens or shares before those in bytes, tokens before shares of the
// prompt, small before large, and all of them before the full cache.
func sortBudgets(budgets []string) {
	slices.SortStableFunc(budgets, func(a, b string) int {
		return cmp.Or(cmp.Compare(b2i(a == "full"), b2i(b == "full")), cmp.Compare(b2i(strings.HasPrefix(a, results.InBytes)), b2i(strings.HasPrefix(b, results.InBytes))),
			cmp.Compare(b2i(strings.HasSuffix(a, "%")), b2i(strings.HasSuffix(b, "%"))), results.Natural(a, b))
	})
}

// shared names, for a subtitle, the parameters that all variants of a group's only policy have in common. It is empty if
// there are several policies.
func (g group) shared(kinds []kind) string {
	traits := results.TraitsOf(g.rows)
	if traits.Policy || len(kinds) == 0 {
		return ""
	}
	r := kinds[0].row
	words := []string{r.Policy}
	for _, name := range sortedNames(r.Params) {
		if !slices.Contains(traits.Params[r.Policy], name) {
			words = append(words, name+" "+r.Params[name])
		}
	}
	return strings.Join(words, ", ")
}

func sortedNames(params map[string]string) []string {
	var names []string
	for name := range params {
		names = append(names, name)
	}
	slices.SortFunc(names, results.Natural)
	return names
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func budgetName(b string) string {
	b = strings.TrimPrefix(b, results.InBytes)
	if n, err := strconv.Atoi(b); err == nil {
		return results.Tokens(n)
	}
	if b == "" { // a policy without a budget
		return "none"
	}
	return b
}

// unitOf is what a budget counts: tokens, a share of the prompt, bytes, or nothing.
func unitOf(budget string) string {
	switch {
	case budget == "full":
		return budget
	case strings.HasPrefix(budget, results.InBytes):
		return "bytes"
	case strings.HasSuffix(budget, "%"):
		return "share"
	}
	return "tokens"
}

func budgetUnit(budgets []string) string {
	shares, tokens := false, false
	for _, b := range budgets {
		if strings.HasPrefix(b, results.InBytes) {
			return "bytes of the full cache in 16 bits, or of so many tokens"
		}
		if strings.HasSuffix(b, "%") {
			shares = true
		} else {
			tokens = true
		}
	}
	switch {
	case shares && tokens:
		return "tokens or share of the prompt"
	case shares:
		return "share of the prompt"
	}
	return "tokens kept per head"
}
