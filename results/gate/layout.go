package gate

import (
	"fmt"
	"slices"
	"strings"

	"github.com/charmbracelet/lipgloss"

	"github.com/snapbench/snapbench/results"
)

// column is one of a table that must fit a width.
type column struct {
	head  string
	cells []string
	spare int // where there is no room, columns of a higher number go first; one of 0 only where its cells are alike, one below never
}

// constant says that all cells are alike, so that one line below the table can say it.
func (c column) constant() bool {
	return !slices.ContainsFunc(c.cells, func(s string) bool { return s != c.cells[0] })
}

// fit chooses columns so that the table has no more than width characters across; 0 is any width. What goes is said in
// notes: the one value of a column that has no other, or that a column is left out. A first column that is still too
// wide is shortened in its middle.
func fit(columns []column, strong []bool, width int) results.Grid {
	var same, left []string
	for width > 0 && across(columns) > width {
		at, alike := -1, false
		for i, c := range columns[1:] { // the first names the line
			if more := c.constant() && c.spare >= 0; at < 0 && (more || c.spare > 0) || at >= 0 && (more && !alike || more == alike && c.spare > columns[at].spare) {
				at, alike = i+1, more
			}
		}
		if at < 0 {
			break
		}
		if c := columns[at]; alike {
			same = append(same, c.head+" "+c.cells[0])
		} else {
			left = append(left, c.head)
		}
		columns = slices.Delete(slices.Clone(columns), at, at+1)
	}
	if width > 0 {
		if over := across(columns) - width; over > 0 {
			columns = slices.Clone(columns)
			columns[0] = columns[0].shortened(over)
		}
	}
	g := results.Grid{Strong: strong}
	for _, c := range columns {
		g.Head = append(g.Head, c.head)
	}
	for i := range columns[0].cells {
		row := make([]string, len(columns))
		for k, c := range columns {
			row[k] = c.cells[i]
		}
		g.Rows = append(g.Rows, row)
	}
	if len(same) > 0 {
		slices.Reverse(same)
		g.Notes = append(g.Notes, "every line: "+strings.Join(same, ", "))
	}
	if len(left) > 0 {
		slices.Reverse(left)
		g.Notes = append(g.Notes, fmt.Sprintf("no room in %d columns for: %s", width, strings.Join(left, "; ")))
	}
	return g
}

// across is the table's width; each column ends with two blanks.
func across(columns []column) (width int) {
	for _, c := range columns {
		width += c.width() + 2
	}
	return width
}

func (c column) width() int {
	w := lipgloss.Width(c.head)
	for _, s := range c.cells {
		w = max(w, lipgloss.Width(results.Visible(s)))
	}
	return w
}

// shortened takes the middle out of cells, so that the column loses so many characters; some are always left.
func (c column) shortened(by int) column {
	most := max(c.width()-by, 9)
	c.cells = slices.Clone(c.cells)
	for i, s := range c.cells {
		if r := []rune(s); len(r) > most {
			c.cells[i] = string(r[:most-most/2-1]) + "…" + string(r[len(r)-most/2:])
		}
	}
	return c
}
