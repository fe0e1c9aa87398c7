package results

// BaselineOf is the variant of some rows that the others are held to: the full cache, else the one that the run
// names; empty where there is neither.
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

// Against names what drops are against, in a sentence: "the full cache", or the baseline's label.
func (t Table) Against() string {
	for i, v := range t.Variants {
		if v == t.Baseline && !t.full {
			return t.Labels[i]
		}
	}
	return "the full cache"
}
