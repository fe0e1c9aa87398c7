package results

import (
	"fmt"
	"maps"
	"slices"
)

// Partners gives the candidate's variants the baseline's that they are held against: that of the same text, else the
// only one of the same policy, budget and parameters, whose text another version wrote otherwise. A server's label
// says which of two runs it is of, and is no parameter.
func Partners(base, cand []Row, bv, cv []string) map[string]string {
	held := map[string]string{}
	left := func(variants, other []string, rows []Row) map[string][]string {
		data, of := VariantData(rows), map[string][]string{}
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

// VariantData gives every variant its policy, budget and parameters.
func VariantData(rows []Row) map[string]string {
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
