package plots

import (
	"github.com/snapbench/snapbench/results"
	"gonum.org/v1/plot/vg"
)

// spot is a place in a figure that shows a number: a heat map's cell, a chart's point. A page shows its text to whoever
// points there, leads to its rows, and offers all of a figure's as data.
type spot struct {
	area   vg.Rectangle
	fields []field // what and where, as "variant", "length"
	value  float64
	lo, hi float64 // the interval; NaN where there is none
	n      int     // values that the number is a mean of; 0: unknown
	rows   filter

	// interval gives lo and hi, times scale, if it is not nil: those of many cells take longer than their picture.
	interval func() results.Interval
	scale    float64
}

type field struct{ name, value string }

// filter says which rows a spot is about; what is empty is not looked at.
type filter struct{ task, variant, length, depth string }

// spots gathers the spots while a figure is drawn. A nil one gathers nothing.
type spots struct{ list []spot }

func (s *spots) add(x spot) {
	if s == nil {
		return
	}
	if x.interval != nil && x.n > 0 {
		iv := x.interval()
		x.lo, x.hi = x.scale*iv.Lo, x.scale*iv.Hi
	}
	s.list = append(s.list, x)
}

// fieldsOf makes fields of pairs of names and values, without those whose value is empty.
func fieldsOf(pairs ...string) []field {
	var list []field
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			list = append(list, field{pairs[i], pairs[i+1]})
		}
	}
	return list
}

// cellSpot is the spot of a table's cell.
func cellSpot(m results.Measure, l results.Line, c results.Cell, label, variant string) *spot {
	s := intervalSpot(m, c.Interval, fieldsOf("task", l.Name, "variant", label))
	s.rows.variant = variant
	if !l.Average {
		s.rows.task = l.Tasks[0]
	}
	return &s
}

// intervalSpot is the spot of a mean with its interval, on the scale on which the measure is drawn.
func intervalSpot(m results.Measure, iv results.Interval, fields []field) spot {
	k := scale(m)
	return spot{fields: fields, value: k * iv.Mean, lo: k * iv.Lo, hi: k * iv.Hi, n: iv.N}
}
