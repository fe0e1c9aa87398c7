package results

// BaselineOf is the variant that the other variants of rows are compared with: the full cache, or else the one that
// the run names. It is empty if rows have neither.
func (run Run) BaselineOf(rows []Row) string {
	named := ""
	for i := range rows {
		switch r := &rows[i]; {
		case r.Policy == "full":
			return r.Variant
		case r.Variant == run.Baseline:
			named = run.Baseline
		}
	}
	return named
}

// Against names the table's baseline for a sentence: "the full cache", or the baseline's label.
func (t Table) Against() string {
	for i, v := range t.Variants {
		if v == t.Baseline && !t.full {
			return t.Labels[i]
		}
	}
	return "the full cache"
}
