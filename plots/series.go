package plots

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/snapbench/snapbench/results"
)

// named gives every row its value of a column as a legend or a panel's title names it, and lists these names in order.
// Without a name all rows have the same, empty one.
func named(rows []results.Row, name string, most int) (func(*results.Row) string, []string, error) {
	if name == "" {
		return func(*results.Row) string { return "" }, []string{""}, nil
	}
	c, err := column(rows, name)
	if err != nil {
		return nil, nil, err
	}
	var labels map[string]string
	if name == "variant" {
		labels = results.Labels(rows)
	}
	none := c.absent(rows)
	prefix := "" // "7" alone does not say what is 7
	if c.parameter || c.kind != "string" {
		prefix = strings.ReplaceAll(c.name, "_", " ") + " "
	}
	of := func(r *results.Row) string {
		if text, ok := r.Params[c.name]; c.parameter && ok {
			return prefix + text
		}
		switch v := c.value(r).(type) {
		case nil:
			return none
		case float64:
			return prefix + strconv.FormatFloat(v, 'g', 6, 64)
		case string:
			if l, ok := labels[v]; ok {
				return l
			}
			return v
		default:
			return prefix + fmt.Sprint(v)
		}
	}
	list := distinctInOrder(rows, of)
	slices.SortStableFunc(list, results.Natural)
	slices.SortStableFunc(list, func(a, b string) int { return b2i(a == none) - b2i(b == none) })
	if len(list) > most {
		return nil, nil, fmt.Errorf("column %q has %d values, too many for a picture (at most %d)", name, len(list), most)
	}
	return of, list, nil
}

// absent names the rows without a value: "full cache" where they all are, else what they lack; a cache
// without a format has the device's own type.
func (s source) absent(rows []results.Row) string {
	if s.name == "cache" && !s.parameter {
		return nativeFormat
	}
	full := s.ofVariant()
	for i := range rows {
		full = full && (s.value(&rows[i]) != nil || rows[i].Policy == "full")
	}
	if full {
		return "full cache"
	}
	return "no " + strings.ReplaceAll(s.name, "_", " ")
}

// asked reports whether the column's values were chosen by whoever ran it, so that an axis names them.
func (s source) asked() bool {
	return s.parameter || slices.Contains([]string{"length", "depth", "capacity", "budget"}, s.name)
}

// inUnits is by how much to divide an amount of bytes for an axis, with the axis's label; 1 for other columns.
func (s source) inUnits(rows []results.Row, label string) (float64, string) {
	if !strings.HasSuffix(s.name, "_bytes") {
		return 1, label
	}
	most := 0.0
	for i := range rows {
		if v := s.value(&rows[i]); v != nil {
			most = max(most, numeric(v))
		}
	}
	unit, bytes := byteUnit(most)
	return bytes, noUnit(label) + " (" + unit + ")"
}

// at is the label of a place on an axis.
func (a axis) at(v float64) string {
	for _, t := range a.ticks {
		if t.at == v && t.label != "" {
			return t.label
		}
	}
	return plain(v)
}
