package results

import (
	"strings"

	"github.com/charmbracelet/lipgloss"
	"github.com/charmbracelet/lipgloss/table"
)

// Grid is a table of texts, to be written to a terminal or as markdown.
type Grid struct {
	Title  string
	Head   []string
	Rows   [][]string
	Strong []bool   // for each row: whether it is bold, as averages are
	Notes  []string // below the table
}

// Markdown writes the grid as a markdown table.
func (g Grid) Markdown() string {
	var b strings.Builder
	clean := strings.NewReplacer("|", `\|`, "\n", " ", "\r", " ", "<", "&lt;", "&", "&amp;")
	line := func(cells []string, strong bool) {
		for _, c := range cells {
			c = clean.Replace(c)
			if strong && c != "" {
				c = "**" + c + "**"
			}
			b.WriteString("| " + c + " ")
		}
		b.WriteString("|\n")
	}
	line(g.Head, false)
	for i := range g.Head {
		if i == 0 {
			b.WriteString("|:--")
		} else {
			b.WriteString("|--:")
		}
	}
	b.WriteString("|\n")
	for i, r := range g.Rows {
		line(r, g.Strong[i])
	}
	for _, n := range g.Notes {
		b.WriteString("\n" + clean.Replace(n) + ".\n")
	}
	return b.String()
}

// Text writes the grid for a terminal of a width in columns (0: any), with all texts as [Visible] writes them. A grid
// that is too wide is cut into several, each with the first column.
func (g Grid) Text(width int) string {
	fits := func(columns []int) string {
		bold, dim := lipgloss.NewStyle().Bold(true), lipgloss.NewStyle().Faint(true)
		t := table.New().Border(lipgloss.NormalBorder()).BorderStyle(dim).BorderColumn(false).BorderLeft(false).BorderRight(false).BorderTop(false).BorderBottom(false)
		pick := func(row []string) []string {
			out := make([]string, len(columns))
			for i, c := range columns {
				out[i] = Visible(row[c])
			}
			return out
		}
		t.Headers(pick(g.Head)...)
		for _, r := range g.Rows {
			t.Row(pick(r)...)
		}
		t.StyleFunc(func(row, col int) lipgloss.Style {
			s := lipgloss.NewStyle().PaddingRight(2)
			if columns[col] > 0 {
				s = s.Align(lipgloss.Right)
			}
			if row == table.HeaderRow || row >= 0 && row < len(g.Strong) && g.Strong[row] {
				s = s.Inherit(bold)
			}
			return s
		})
		return t.Render()
	}
	var blocks []string
	for next := 1; next < len(g.Head) || next == 1; {
		columns := []int{0}
		var block string
		for ; next < len(g.Head); next++ {
			wider := fits(append(columns, next))
			if len(columns) > 1 && width > 0 && lipgloss.Width(wider) > width {
				break
			}
			columns, block = append(columns, next), wider
		}
		if block == "" {
			block = fits(columns)
		}
		blocks = append(blocks, block)
		if next >= len(g.Head) {
			break
		}
	}
	var b strings.Builder
	if g.Title != "" {
		b.WriteString(lipgloss.NewStyle().Bold(true).Render(Visible(g.Title)) + "\n")
	}
	b.WriteString(strings.Join(blocks, "\n\n") + "\n")
	for _, n := range g.Notes {
		b.WriteString(lipgloss.NewStyle().Faint(true).Render(Visible(n)) + "\n")
	}
	return b.String()
}
