// Package results holds what a run produces and what can be said about it.
//
//	Row      one sample under one variant, the only list of columns
//	Journal  rows as they are finished: appended, synced, continued after a kill
//	Write    rows → results.parquet; Read, Merge and the exports are the way back
//	Table    rows → tasks × variants with 95 % intervals and paired drops
//	Compare  pairs of scores → a drop, its interval, its tests against a limit
//
// Package gate below it makes verdicts of them, package contrast puts runs side by side.
// Nothing here knows a device, a model or a picture.
package results
