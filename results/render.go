package results

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/charmbracelet/lipgloss"
	"github.com/charmbracelet/lipgloss/table"
)

// Grid is a table as text, ready for a terminal or for markdown: one source for both.
type Grid struct {
	Title  string
	Head   []string
	Rows   [][]string
	Strong []bool   // by row: averages
	Notes  []string // below the table
}

// Points writes a score as LongBench does: 100 × mean, from the double to two decimals.
func Points(v float64) string {
	if math.IsNaN(v) {
		return "n/a"
	}
	return strconv.FormatFloat(100*v, 'f', 2, 64)
}

func interval(scale, lo, hi float64, digits int) string {
	if !(lo <= hi) {
		return ""
	}
	return fmt.Sprintf(" [%s, %s]", fixed(scale*lo, digits), fixed(scale*hi, digits))
}

// fixed writes a number without the sign of a negative zero.
func fixed(v float64, digits int) string {
	s := strconv.FormatFloat(v, 'f', digits, 64)
	if strings.HasPrefix(s, "-") && strings.Trim(s, "-0.") == "" {
		return s[1:]
	}
	return s
}

func (t Table) cellText(c Cell) string {
	if c.N == 0 {
		if c.Failed > 0 {
			return fmt.Sprintf("n/a (%d failed)", c.Failed)
		}
		return "n/a"
	}
	var s string
	if t.Measure.Points {
		s = Points(c.Mean) + interval(100, c.Lo, c.Hi, 1)
	} else {
		s = strconv.FormatFloat(c.Mean, 'g', 3, 64)
		if c.Defined() {
			s += fmt.Sprintf(" [%.3g, %.3g]", c.Lo, c.Hi)
		}
	}
	if c.Failed > 0 {
		s += fmt.Sprintf(" (%d failed)", c.Failed)
	}
	return s
}

// Grid lays the table out. With more variants than lines, as in a needle sweep, variants go down and tasks across.
func (t Table) Grid() Grid {
	g := t.layout(t.cellText, func(string) bool { return true })
	g.Title = t.Title
	what := t.Measure.Title
	if t.Measure.Points {
		what += ", 0 to 100"
	}
	g.Notes = append([]string{what + ", with 95 % intervals over samples"}, t.Warnings...)
	return g
}

// DropGrid lays out the drop of every variant against the full cache, paired by sample; ok is false without one.
func (t Table) DropGrid() (g Grid, ok bool) {
	if t.Baseline == "" || t.Measure.Name != "score" || len(t.Variants) < 2 {
		return Grid{}, false
	}
	g = t.layout(func(c Cell) string {
		if c.Drop == nil {
			return "n/a"
		}
		return fixed(100*c.Drop.Drop, 2) + interval(100, c.Drop.Lo, c.Drop.Hi, 1)
	}, func(v string) bool { return v != t.Baseline })
	g.Title = t.Title
	g.Notes = []string{"points lost against the full cache, paired by sample, with 95 % intervals; negative is a gain"}
	return g, true
}

func (t Table) layout(text func(Cell) string, keep func(variant string) bool) Grid {
	var columns []int
	for k, v := range t.Variants {
		if keep(v) {
			columns = append(columns, k)
		}
	}
	var g Grid
	if len(columns) > len(t.Lines)+2 {
		g.Head = []string{"variant"}
		for _, l := range t.Lines {
			g.Head = append(g.Head, l.head())
		}
		for _, k := range columns {
			row := []string{t.Labels[k]}
			for _, l := range t.Lines {
				row = append(row, text(l.Cells[k]))
			}
			g.Rows, g.Strong = append(g.Rows, row), append(g.Strong, false)
		}
		return g
	}
	g.Head = []string{"task", "samples"}
	for _, k := range columns {
		g.Head = append(g.Head, t.Labels[k])
	}
	for _, l := range t.Lines {
		row := []string{l.Name, l.samples()}
		for _, k := range columns {
			row = append(row, text(l.Cells[k]))
		}
		g.Rows, g.Strong = append(g.Rows, row), append(g.Strong, l.Average)
	}
	return g
}

func (l Line) head() string { return l.Name + " (" + l.samples() + ")" }

// samples is how many were scored; a range where variants differ.
func (l Line) samples() string {
	lo, hi := math.MaxInt, 0
	for _, c := range l.Cells {
		lo, hi = min(lo, c.N), max(hi, c.N)
	}
	if lo != hi {
		return fmt.Sprintf("%d–%d", lo, hi)
	}
	return fmt.Sprint(hi)
}

// CostGrid lays out time and memory by variant; ok is false where no row knows any.
func CostGrid(run Run, rows []Row) (g Grid, ok bool) {
	g.Head = []string{"variant", "prompt tokens", "kept", "cache", "peak memory", "prefill", "decode"}
	for _, c := range Costs(run, rows) {
		row := []string{c.Label, count(c.PromptTokens), count(c.KeptMean), Bytes(c.CacheBytes), "n/a", Seconds(c.PrefillSeconds), "n/a"}
		if c.PeakBytes > 0 {
			row[4] = Bytes(float64(c.PeakBytes))
		}
		if !math.IsNaN(c.DecodeTokensPerSecond) {
			row[6] = fmt.Sprintf("%.3g tokens/s", c.DecodeTokensPerSecond)
		}
		for _, s := range row[1:] {
			ok = ok || s != "n/a"
		}
		g.Rows, g.Strong = append(g.Rows, row), append(g.Strong, false)
	}
	g.Notes = []string{"means over rows; peak memory is the most of any row; all variants of a sample share one prefill and are decoded together, so their times are of the whole batch"}
	return g, ok
}

func count(v float64) string {
	if math.IsNaN(v) {
		return "n/a"
	}
	return fixed(v, 0)
}

// Bytes writes an amount of memory in powers of 1024.
func Bytes(v float64) string {
	if math.IsNaN(v) {
		return "n/a"
	}
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	i := 0
	for v >= 1024 && i < len(units)-1 {
		v, i = v/1024, i+1
	}
	if i == 0 {
		return fmt.Sprintf("%.0f B", v)
	}
	return fmt.Sprintf("%.1f %s", v, units[i])
}

// Seconds writes a time with the unit that reads best.
func Seconds(v float64) string {
	switch {
	case math.IsNaN(v):
		return "n/a"
	case v < 1:
		return fmt.Sprintf("%.3g ms", 1000*v)
	case v < 120:
		return fmt.Sprintf("%.3g s", v)
	}
	return fmt.Sprintf("%.1f min", v/60)
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

// Text writes the grid for a terminal of a width in columns (0: any); what would steer the terminal is text (Visible). A
// grid that is too wide is cut into several, each with the first column.
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
