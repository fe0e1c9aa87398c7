package gate

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/charmbracelet/lipgloss"

	"github.com/snapbench/snapbench/results"
)

// Grids lays the comparisons out as tables, one a subject, each no wider than width characters; 0 is any width.
func (g *Result) Grids(width int) []results.Grid {
	var list []results.Grid
	for _, part := range g.bySubject() {
		columns, strong := g.columns(part)
		t := fit(columns, strong, width)
		t.Title = part[0].Subject
		var caches []results.Footprint
		for _, l := range part {
			caches = append(caches, l.cache)
		}
		if t.Head[len(t.Head)-1] == results.CacheColumn {
			t.Notes = append(t.Notes, results.ExplainAbove(caches)...)
		}
		list = append(list, t)
	}
	if len(list) == 0 {
		return nil // no task was answered; the checks say so
	}
	last := &list[len(list)-1]
	last.Notes = append(last.Notes, g.Notes...)
	last.Notes = append(last.Notes, g.meaning())
	return list
}

// columns are those of one subject's lines; the numbers say which go first where there is no room.
func (g *Result) columns(lines []Line) ([]column, []bool) {
	set := g.About == AboutSet
	of := func(head string, spare int, cell func(Line) string) column {
		c := column{head: head, spare: spare}
		for _, l := range lines {
			c.cells = append(c.cells, cell(l))
		}
		return c
	}
	points := func(v float64) string { return results.Fixed(v, 2) }
	list := []column{of("variant", 0, func(l Line) string { return l.Label }), of("task", 0, func(l Line) string { return l.Task })}
	if list[0].constant() {
		list = list[1:]
	}
	list = append(list,
		of("samples", 4, func(l Line) string { return fmt.Sprint(l.Samples) }),
		of("baseline", 3, func(l Line) string { return points(l.Baseline) }),
		of("candidate", 2, func(l Line) string { return points(l.Score) }),
		of("drop", -1, func(l Line) string {
			if set {
				return results.Fixed(l.Drop, l.decimals())
			}
			return results.Fixed(l.Drop, l.decimals()) + interval(l.Lo, l.Hi, 1)
		}),
		of("limit", 5, func(l Line) string {
			if strings.HasSuffix(l.Asked, "%") {
				return results.Fixed(l.Limit, l.decimals()) + " (" + l.Asked + ")"
			}
			return results.Fixed(l.Limit, l.decimals())
		}))
	if set {
		list = append(list,
			of("changed", 1, func(l Line) string { return fmt.Sprint(l.Changed) }),
			of("worse", 1, func(l Line) string { return fmt.Sprint(l.Worse) }),
			of("better", 1, func(l Line) string { return fmt.Sprint(l.Better) }))
		if slices.ContainsFunc(lines, func(l Line) bool { return l.P != nil }) {
			list = append(list, of("p", 1, func(l Line) string { return pValue(l.P) }))
		}
	}
	list = append(list, of("verdict", -1, func(l Line) string { return l.Verdict.String() }))
	if slices.ContainsFunc(lines, func(l Line) bool { return l.need() != "" }) {
		list = append(list, of("would decide", 1, Line.need))
	}
	if slices.ContainsFunc(lines, func(l Line) bool { return l.CacheTimesFull != nil }) {
		list = append(list, of(results.CacheColumn, 6, func(l Line) string { return l.cache.String() }))
	}
	var strong []bool
	for _, l := range lines {
		strong = append(strong, l.Average || l.Verdict == Fail)
	}
	return list, strong
}

// meaning says what the table's numbers are.
func (g *Result) meaning() string {
	if g.About == AboutPopulation {
		return fmt.Sprintf("points of 0 to 100; 95 %% intervals of the drop; verdicts about all prompts of their kind, at %g %% confidence, corrected for %d comparisons (Holm)", 100*g.Confidence, len(g.Lines))
	}
	s := "points of 0 to 100, on these samples; changed: answers with another text; worse, better: answers with another score"
	if slices.ContainsFunc(g.Lines, func(l Line) bool { return l.P != nil }) {
		s += "; p: how often as much or more would get worse or better by chance (McNemar's exact test, each line by itself)"
	}
	return s
}

func pValue(p *float64) string {
	switch {
	case p == nil:
		return "n/a"
	case *p < 0.001:
		return "<0.001"
	}
	return results.Fixed(*p, 3)
}

// decimals is how many a drop and its limit are written with: two, and more where they would look alike and are not.
func (l Line) decimals() int {
	n := 2
	for n < 8 && math.Abs(l.Drop-l.Limit) > hair && results.Fixed(l.Drop, n) == results.Fixed(l.Limit, n) {
		n++
	}
	return n
}

// need says what an undecided line would take.
func (l Line) need() string {
	switch {
	case l.Verdict != Undecided:
		return ""
	case l.Nothing:
		return "scores above 0"
	case l.Needed == nil:
		return "no number of samples"
	case *l.Needed > 100_000:
		return "> 100000 samples"
	}
	return fmt.Sprintf("about %s samples", about(*l.Needed))
}

// about rounds an estimate that comes from an estimate up to two digits.
func about(n int) string {
	mag := math.Pow(10, max(0, math.Floor(math.Log10(float64(n)))-1))
	return fmt.Sprintf("%.0f", mag*math.Ceil(float64(n)/mag))
}

func (g *Result) bySubject() [][]Line {
	var parts [][]Line
	for _, l := range g.Lines {
		if n := len(parts); n > 0 && parts[n-1][0].Subject == l.Subject {
			parts[n-1] = append(parts[n-1], l)
			continue
		}
		parts = append(parts, []Line{l})
	}
	return parts
}

// Headline is the verdict in one line: which question, what the runs differ in, how many comparisons ended how.
func (g *Result) Headline() string {
	count := map[Verdict]int{}
	identical := 0
	for _, l := range g.Lines {
		count[l.Verdict]++
		if l.Identical {
			identical++
		}
	}
	s := strings.ToUpper(g.Verdict.String()) + ", " + g.About.words()
	if len(g.Across) > 0 {
		var names []string
		for _, d := range g.Across {
			if !slices.Contains(names, d.What) {
				names = append(names, d.What)
			}
		}
		s += ", across " + strings.Join(names, ", ")
	}
	switch {
	case len(g.Lines) == 0:
		s += ": no comparison"
	case identical == len(g.Lines) && count[Pass] == identical:
		s += fmt.Sprintf(": identical, not an answer changed in %s", plural(len(g.Lines), "comparison", "comparisons"))
	default:
		s += fmt.Sprintf(": of %s %d pass, %d fail", plural(len(g.Lines), "comparison", "comparisons"), count[Pass], count[Fail])
		if g.About == AboutPopulation || count[Undecided] > 0 {
			s += fmt.Sprintf(", %d undecided", count[Undecided])
		}
		if identical > 0 {
			s += fmt.Sprintf("; %d identical", identical)
		}
	}
	for _, o := range g.outcomes() {
		if o.verdict != Pass {
			s += fmt.Sprintf("; %s: %d %s", o.name, o.times, o.verdict)
		}
	}
	return s
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// outcome counts the checks of one name that ended alike.
type outcome struct {
	name    string
	verdict Verdict
	times   int
}

func (g *Result) outcomes() (list []outcome) {
	for _, k := range g.Checks {
		at := slices.IndexFunc(list, func(o outcome) bool { return o.name == k.Name && o.verdict == k.Verdict })
		if at < 0 {
			at, list = len(list), append(list, outcome{name: k.Name, verdict: k.Verdict})
		}
		list[at].times++
	}
	return list
}

// several names more than one check of a name.
var several = map[string]string{
	"budget audit": "budget audits", "prefill time": "prefill times", "decode time": "decode times", "peak memory": "peaks of memory", "KL divergence": "KL divergences", "answers": "answers",
}

// checkLines tell passed checks in one line for each name, and each of the others by itself.
func (g *Result) checkLines() (lines []string) {
	for _, o := range g.outcomes() {
		if o.verdict == Pass {
			lines = append(lines, plural(o.times, o.name, several[o.name])+": pass")
		}
	}
	for _, k := range g.Checks {
		if k.Verdict != Pass {
			lines = append(lines, fmt.Sprintf("%s, %s: %s: %s; limit %s", k.Name, k.Label, strings.ToUpper(k.Verdict.String()), k.Found, k.Limit))
		}
	}
	return lines
}

// Text writes the verdict for a terminal of a width.
func (g *Result) Text(width int) string {
	var b strings.Builder
	dim := lipgloss.NewStyle().Faint(true)
	line := func(style *lipgloss.Style, text string) {
		for part := range strings.SplitSeq(results.Wrap(results.Visible(text), width), "\n") {
			if style != nil {
				part = style.Render(part)
			}
			b.WriteString(part + "\n")
		}
	}
	for _, d := range g.Across {
		line(nil, d.String())
	}
	for _, t := range g.Grids(width) {
		notes := t.Notes
		t.Notes = nil
		b.WriteString(t.Text(0))
		for _, n := range notes {
			line(&dim, n)
		}
		b.WriteString("\n")
	}
	for _, c := range g.checkLines() {
		line(nil, c)
	}
	line(nil, g.Headline())
	return b.String()
}

// Markdown writes the verdict for a job summary.
func (g *Result) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "## Accuracy gate\n\n**%s**\n\nBaseline `%s`, candidate `%s`.\n\n", g.Headline(), tick(g.Baseline), tick(g.Candidate))
	for _, d := range g.Across {
		fmt.Fprintf(&b, "- %s\n", d)
	}
	for _, c := range g.checkLines() {
		fmt.Fprintf(&b, "- %s\n", c)
	}
	if len(g.Across)+len(g.Checks) > 0 {
		b.WriteString("\n")
	}
	for _, t := range g.Grids(0) {
		if t.Title != "" {
			fmt.Fprintf(&b, "### %s\n\n", t.Title)
		}
		b.WriteString(t.Markdown() + "\n")
	}
	return results.VisibleLines(b.String())
}

func tick(s string) string { return strings.ReplaceAll(s, "`", "'") }

// interval is " [0.4, 2.1]"; nothing where there is none.
func interval(lo, hi *float64, decimals int) string {
	if lo == nil || hi == nil {
		return ""
	}
	return fmt.Sprintf(" [%s, %s]", results.Fixed(*lo, decimals), results.Fixed(*hi, decimals))
}
