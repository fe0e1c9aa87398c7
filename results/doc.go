// Package results stores the rows of a run and evaluates them. Start with [Row], the one list of columns.
//
//	Row        one sample under one variant
//	Journal    appends and syncs rows as they are finished; continues a run that was killed
//	WriteFile  rows → results.parquet; Read and Merge read them back, the exports write other formats
//	Table      rows → tasks × variants with 95 % intervals and paired drops
//	Compare    pairs of scores → a drop, its interval, its tests against a limit
//
// Below it, package gate makes verdicts of comparisons, package contrast puts runs side by side, and package parts makes
// one run of several processes. None of them knows a device, a model or a picture.
package results
