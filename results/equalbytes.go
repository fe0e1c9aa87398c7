package results

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// InBytes begins a budget in bytes: "bytes:25%".
const InBytes = "bytes:"

// stored is how a variant is told from others at equal bytes.
type stored struct{ policy, budget, cache string }

func storedOf(r *Row) stored {
	return stored{strings.TrimSuffix(r.Policy, "+"+r.Cache), r.Budget, r.Cache}
}

// EqualBytes says, over the table's last line (its only task, or the average), what each policy
// loses at the same bytes in each format of the cache, the least first; and what each format
// loses of the full cache. Without formats it says nothing.
func (t Table) EqualBytes() []string {
	if len(t.Lines) == 0 {
		return nil
	}
	line := t.Lines[len(t.Lines)-1]
	of := map[string][]int{} // what is compared → variants
	var order []string
	for k, s := range t.stored {
		if s.cache == "" && !strings.HasPrefix(s.budget, InBytes) || line.Cells[k].Drop == nil {
			continue
		}
		name := ""
		switch bytes, ok := strings.CutPrefix(s.budget, InBytes); {
		case ok:
			name = fmt.Sprintf("at %s of the bytes, %s", bytes, t.named(k))
			if !strings.HasSuffix(bytes, "%") {
				name = fmt.Sprintf("at the bytes of %s tokens in 16 bits, %s", bytes, t.named(k))
			}
		case s.policy == "full":
			name = "with every token, the cache"
		default:
			continue
		}
		if of[name] == nil {
			order = append(order, name)
		}
		of[name] = append(of[name], k)
	}
	var list []string
	for _, name := range order {
		variants := of[name]
		if len(variants) < 2 {
			continue
		}
		slices.SortStableFunc(variants, func(a, b int) int { return cmp.Compare(line.Cells[a].Drop.Drop, line.Cells[b].Drop.Drop) })
		var parts []string
		for _, k := range variants {
			d, where := line.Cells[k].Drop, t.stored[k].cache
			if where == "" {
				where = "the device's own type"
			}
			part := fmt.Sprintf("%s%s in %s", fixed(100*d.Drop, 1), interval(100, d.Lo, d.Hi, 1), where)
			if t.stored[k].policy == "full" && t.Caches != nil {
				part += fmt.Sprintf(" (%s × the bytes)", t.Caches[k])
			}
			parts = append(parts, part)
		}
		list = append(list, fmt.Sprintf("%s loses %s", name, strings.Join(parts, ", ")))
	}
	return list
}

// named is a variant's label without its budget and its format.
func (t Table) named(k int) string {
	s := t.stored[k]
	var words []string
	for word := range strings.SplitSeq(strings.Replace(t.Labels[k], "+"+s.cache, "", 1), ", ") {
		word = strings.TrimSpace(strings.Replace(word, BudgetLabel(s.budget), "", 1))
		if word != "" {
			words = append(words, word)
		}
	}
	if !slices.Contains(words, s.policy) {
		words = append([]string{s.policy}, words...)
	}
	return strings.Join(words, ", ")
}
