// Package plots draws results: heat maps, curves, and the HTML report.
//
//	NeedleMap   length × depth, one panel per variant
//	BudgetMap   accuracy, budget against kernel and pooling
//	Curves      score against budget, one line per kernel and pooling, one panel per task
//	TaskMap     tasks × variants
//	XY          any two columns against each other
//	Report      one HTML file with all of it
//
// Pictures are for printing: vector and 300 dots per inch, axes with units, one colour scale per figure that stays
// readable for colour-blind people and in grey. The same rows give the same bytes.
package plots
