package results

// What the packages below this one share with its tables, so that a number, a column or an order is the same in a verdict
// and in a summary.

// CacheColumn heads what a variant's cache takes, in every table of variants.
const CacheColumn = cacheColumn

// Draws is the number of bootstrap draws of an interval.
const Draws = resamples

// Confidence is that of every interval.
const Confidence = confidence

// Fixed writes a number with so many decimals, and zero without a sign.
func Fixed(v float64, decimals int) string { return fixed(v, decimals) }

// Known is a number for JSON: nil, which is null, where v is none.
func Known(v float64) *float64 { return known(v) }

// ExplainAbove is the line below a table that explains the stars of its caches; none where there is none.
func ExplainAbove(list []Footprint) []string { return explainAbove(list) }

// TasksOf lists the tasks of some rows, in the order in which the run was asked for them.
func (run Run) TasksOf(rows []Row) []string {
	return names(rows, func(r *Row) string { return r.Task }, run.Tasks)
}

// VariantsOf lists the variants of some rows, in the order in which the run was asked for them.
func (run Run) VariantsOf(rows []Row) []string {
	return names(rows, func(r *Row) string { return r.Variant }, run.Variants)
}
