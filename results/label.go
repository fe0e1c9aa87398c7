package results

import (
	"maps"
	"slices"
	"strings"
)

// Traits are what variants differ in besides their budgets: the policy, and the parameters of each policy that have
// more than one value among its variants. The full cache is left out.
type Traits struct {
	Policy bool                // there are several policies
	Params map[string][]string // policy → names of the parameters that vary in it, in order
}

// TraitsOf returns the traits of the variants of rows.
func TraitsOf(rows []Row) Traits {
	type parameter struct{ policy, name string }
	texts := map[parameter]map[string]int{} // text → variants that have it
	variants := map[string]int{}            // policy → how many
	seen := map[string]bool{}
	for i := range rows {
		r := &rows[i]
		if r.Policy == "full" || seen[r.Variant] {
			continue
		}
		seen[r.Variant] = true
		variants[r.Policy]++
		for name, text := range r.Params {
			p := parameter{r.Policy, name}
			if texts[p] == nil {
				texts[p] = map[string]int{}
			}
			texts[p][text]++
		}
	}
	t := Traits{Policy: len(variants) > 1, Params: map[string][]string{}}
	for p, list := range texts {
		have := 0
		for _, n := range list {
			have += n
		}
		if len(list) > 1 || have < variants[p.policy] { // a variant without the parameter differs, too
			t.Params[p.policy] = append(t.Params[p.policy], p.name)
		}
	}
	for _, names := range t.Params {
		slices.SortFunc(names, Natural)
	}
	return t
}

// Words names a row's traits: its policy if there are several, then the parameters that vary, such as "k 7".
func (t Traits) Words(r *Row) []string {
	if r.Policy == "full" {
		return []string{"full"}
	}
	var words []string
	if t.Policy {
		words = append(words, r.Policy)
	}
	for _, name := range t.Params[r.Policy] {
		if text, ok := r.Params[name]; ok {
			words = append(words, name+" "+text)
		}
	}
	return words
}

// Labels gives every variant a short name: its budget, its policy if there are several, and only those parameters in
// which variants of a policy differ: "snapkv 1024, k 7". If two variants would have the same name, all keep their full
// text.
func Labels(rows []Row) map[string]string {
	traits := TraitsOf(rows)
	labels, taken := map[string]string{}, map[string]bool{}
	alike := false
	for i := range rows {
		r := &rows[i]
		if _, done := labels[r.Variant]; done {
			continue
		}
		label := traits.label(r)
		alike = alike || taken[label] || label == ""
		taken[label], labels[r.Variant] = true, label
	}
	if alike {
		for v := range maps.Keys(labels) {
			labels[v] = v
		}
	}
	return labels
}

func (t Traits) label(r *Row) string {
	words := t.Words(r)
	if r.Policy == "full" || r.Budget == "" || r.Budget == "full" { // a server has no budget
		return strings.Join(words, ", ")
	}
	if t.Policy {
		words[0] += " " + BudgetLabel(r.Budget)
	} else {
		words = append([]string{BudgetLabel(r.Budget)}, words...)
	}
	return strings.Join(words, ", ")
}

// BudgetLabel names a budget: one in bytes as "25% bytes", or by the tokens whose bytes it has as "bytes of 1024".
func BudgetLabel(budget string) string {
	amount, ok := strings.CutPrefix(budget, InBytes)
	switch {
	case !ok:
		return budget
	case strings.HasSuffix(amount, "%"):
		return amount + " bytes"
	}
	return "bytes of " + amount
}
