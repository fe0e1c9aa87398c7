package gate

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/snapbench/snapbench/results"
)

// Grids lays a verdict out as tables for a terminal or markdown: the comparisons, then the checks.
func (g *Result) Grids() []results.Grid {
	var list []results.Grid
	for _, part := range g.bySubject() {
		head := results.Grid{Title: part[0].Subject, Head: []string{"task", "samples", "baseline", "candidate", "drop", "limit", "verdict"}}
		several := false
		for _, l := range part {
			several = several || l.Label != part[0].Label
		}
		if several {
			head.Head = append([]string{"variant"}, head.Head...)
		}
		var caches []results.Footprint
		if slices.ContainsFunc(part, func(l Line) bool { return l.CacheTimesFull != nil }) {
			head.Head = append(head.Head, results.CacheColumn)
		}
		for _, l := range part {
			limit := results.Fixed(l.Limit, 2)
			if strings.HasSuffix(l.Asked, "%") {
				limit += " (" + l.Asked + ")"
			}
			row := []string{l.Task, fmt.Sprint(l.Samples), results.Fixed(l.Baseline, 2), results.Fixed(l.Score, 2), results.Fixed(l.Drop, 2) + interval(l.Lo, l.Hi, 1), limit, l.Verdict.String() + l.need()}
			if several {
				row = append([]string{l.Label}, row...)
			}
			if head.Head[len(head.Head)-1] == results.CacheColumn {
				row, caches = append(row, l.cache.String()), append(caches, l.cache)
			}
			head.Rows, head.Strong = append(head.Rows, row), append(head.Strong, l.Average || l.Verdict == Fail)
		}
		head.Notes = results.ExplainAbove(caches)
		list = append(list, head)
	}
	if len(g.Checks) > 0 {
		c := results.Grid{Head: []string{"check", "variant", "found", "limit", "verdict"}}
		for _, k := range g.Checks {
			c.Rows, c.Strong = append(c.Rows, []string{k.Name, k.Label, k.Found, k.Limit, k.Verdict.String()}), append(c.Strong, k.Verdict == Fail)
		}
		list = append(list, c)
	}
	last := &list[len(list)-1]
	last.Notes = append(last.Notes, g.Notes...)
	last.Notes = append(last.Notes, fmt.Sprintf("points of 0 to 100; 95 %% intervals of the drop; verdicts at %g %% confidence, corrected for %d comparisons (Holm)", 100*g.Confidence, len(g.Lines)))
	return list
}

func (l Line) need() string {
	switch {
	case l.Verdict != Undecided:
		return ""
	case l.Nothing:
		return " (all scores are 0: no drop could show)"
	case l.Needed == nil:
		return " (the drop is at the limit: no number of samples would do)"
	}
	if *l.Needed > 100_000 {
		return " (more than 100000 samples would be needed)"
	}
	// An estimate from an estimate: two digits are plenty.
	mag := math.Pow(10, max(0, math.Floor(math.Log10(float64(*l.Needed)))-1))
	return fmt.Sprintf(" (about %.0f samples would do)", mag*math.Ceil(float64(*l.Needed)/mag))
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

// Headline is the verdict in one line.
func (g *Result) Headline() string {
	count := map[Verdict]int{}
	for _, l := range g.Lines {
		count[l.Verdict]++
	}
	s := fmt.Sprintf("%s: of %d comparisons %d pass, %d fail, %d undecided", strings.ToUpper(g.Verdict.String()), len(g.Lines), count[Pass], count[Fail], count[Undecided])
	// A check that several variants fail is told once.
	type outcome struct {
		name    string
		verdict Verdict
	}
	var order []outcome
	times := map[outcome]int{}
	for _, k := range g.Checks {
		if k.Verdict == Pass {
			continue
		}
		o := outcome{k.Name, k.Verdict}
		if times[o]++; times[o] == 1 {
			order = append(order, o)
		}
	}
	for _, o := range order {
		s += fmt.Sprintf("; %s: %d %s", o.name, times[o], o.verdict)
	}
	return s
}

// Text writes the verdict for a terminal of a width.
func (g *Result) Text(width int) string {
	var b strings.Builder
	for _, t := range g.Grids() {
		b.WriteString(t.Text(width) + "\n")
	}
	b.WriteString(results.Visible(g.Headline()) + "\n")
	return b.String()
}

// Markdown writes the verdict for a job summary.
func (g *Result) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "## Accuracy gate\n\n**%s**\n\nBaseline `%s`, candidate `%s`.\n\n", g.Headline(), tick(g.Baseline), tick(g.Candidate))
	for _, t := range g.Grids() {
		if t.Title != "" {
			fmt.Fprintf(&b, "### %s\n\n", t.Title)
		}
		b.WriteString(t.Markdown() + "\n")
	}
	return results.VisibleLines(b.String())
}

func tick(s string) string { return strings.ReplaceAll(s, "`", "'") }

// WriteJSON writes the verdict as JSON; unknown numbers are null.
func (g *Result) WriteJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(g)
}

// MarshalJSON writes intervals that are not defined as null.
func (l Line) MarshalJSON() ([]byte, error) {
	type plain Line
	if !math.IsNaN(l.Lo) && !math.IsNaN(l.Hi) {
		return json.Marshal(plain(l))
	}
	p := plain(l)
	p.Lo, p.Hi = 0, 0
	return json.Marshal(struct {
		plain
		Lo *float64 `json:"lo"`
		Hi *float64 `json:"hi"`
	}{plain: p})
}

type junitSuites struct {
	XMLName xml.Name     `xml:"testsuites"`
	Suites  []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	Failure *junitMessage `xml:"failure,omitempty"`
	Error   *junitMessage `xml:"error,omitempty"`
	Output  string        `xml:"system-out,omitempty"`
}

type junitMessage struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
}

// WriteJUnit writes the verdict as JUnit XML, one test case for each comparison and check. Undecided is an error, not
// a skip: a viewer must not show it as harmless.
func (g *Result) WriteJUnit(w io.Writer) error {
	s := junitSuite{Name: "snapbench gate"}
	add := func(c junitCase, v Verdict, message string) {
		s.Tests++
		c.Output = message
		switch v {
		case Fail:
			s.Failures++
			c.Failure = &junitMessage{message, "accuracy"}
		case Undecided:
			s.Errors++
			c.Error = &junitMessage{message, "undecided"}
		}
		s.Cases = append(s.Cases, c)
	}
	for _, l := range g.Lines {
		add(junitCase{Class: l.Subject + ", " + l.Label, Name: l.Task}, l.Verdict,
			fmt.Sprintf("%s: drop %s points%s, limit %s, %d samples, baseline %s, candidate %s%s", l.Verdict, results.Fixed(l.Drop, 2), interval(l.Lo, l.Hi, 2), results.Fixed(l.Limit, 2), l.Samples, results.Fixed(l.Baseline, 2), results.Fixed(l.Score, 2), l.need()))
	}
	for _, k := range g.Checks {
		add(junitCase{Class: k.Subject + ", " + k.Label, Name: k.Name}, k.Verdict, fmt.Sprintf("%s: %s, limit %s", k.Verdict, k.Found, k.Limit))
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(junitSuites{Suites: []junitSuite{s}}); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// interval is " [0.4, 2.1]"; nothing where there is none.
func interval(lo, hi float64, decimals int) string {
	if !(lo <= hi) {
		return ""
	}
	return fmt.Sprintf(" [%s, %s]", results.Fixed(lo, decimals), results.Fixed(hi, decimals))
}
