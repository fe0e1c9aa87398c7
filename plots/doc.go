// Package plots draws results: heat maps, curves, and the HTML report.
//
//	NeedleMap   length × depth, one panel per variant
//	BudgetMap   a measure, budget against policies or parameters
//	Curves      a measure against the budget, one line per policy and parameters, one panel per task
//	ByteCurves  the same against the bytes of the cache
//	TaskMap     tasks × variants
//	XY          any two columns or parameters against each other
//	Contrast    the differences of runs side by side
//	Report      one HTML file with all of it
//
// Pictures are for printing: vector and 300 dots per inch, axes with units, one colour scale per figure that stays
// readable for colour-blind people and in grey. The same rows give the same bytes.
package plots
