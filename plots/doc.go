// Package plots draws results: heat maps, curves, and the HTML report. [Run] draws all usual pictures of a run; each
// kind of picture is a function:
//
//	NeedleMap   length × depth, one panel per variant
//	BudgetMap   budget × policies or parameters
//	Curves      a measure against the budget, one line per policy and parameters, one panel per task
//	ByteCurves  the same against the bytes of the cache
//	Frontier    a measure against bytes and speed, and which variants no other beats
//	TaskMap     tasks × variants
//	XY          any column or parameter against another
//	Gaps        the difference between protocols that ask by the same prompts
//	Contrast    the differences of runs side by side
//	Lines       measurements over a length or another number
//	Grids       heat maps of percentages
//	Report      one HTML file with tables, pictures and rows
//
// Pictures are made for printing: SVG, PDF and PNG with 300 dots per inch, axes with units, and one colour scale per figure
// that is readable for colour-blind people and in grey. The same rows give the same bytes.
package plots
