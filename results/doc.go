// Package results stores the rows of a run and evaluates them. Start with [Row], the one list of columns.
//
//	Row        one sample under one variant
//	Journal    appends and syncs rows as they are finished; continues a run that was killed
//	WriteFile  rows → results.parquet; Read and Merge read them back, the exports write other formats
//	Table      rows → tasks × variants with 95 % intervals and paired drops
//	Gate       rows × rows → pass, fail or undecided, and why
//
// The package knows no device, model or picture.
package results
