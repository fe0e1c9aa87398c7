package contrast

import (
	"fmt"
	"slices"
	"strings"

	"github.com/snapbench/snapbench/results"
)

// Grid lays the contrast out as one table: tasks down and entries across, or, where there are more entries than tasks,
// entries down. A cell is the mean, then the difference with its interval; a star says that it shows after correction.
func (c *Contrast) Grid() results.Grid {
	cached := slices.ContainsFunc(c.Entries, func(e *Entry) bool { return e.CacheTimesFull != nil })
	timed := slices.ContainsFunc(c.Entries, func(e *Entry) bool { return e.PrefillSeconds != nil })
	decoded := slices.ContainsFunc(c.Entries, func(e *Entry) bool { return e.TokensPerSec != nil })
	var caches []results.Footprint
	for _, e := range c.Entries {
		caches = append(caches, e.cache)
	}
	type row struct {
		head  string
		cells []string
		bold  bool
	}
	var list []row
	for _, l := range c.Lines {
		r := row{head: fmt.Sprintf("%s (%d)", l.Task, l.Samples), bold: l.Average}
		for _, x := range l.Cells {
			r.cells = append(r.cells, x.text())
		}
		list = append(list, r)
	}
	add := func(use bool, head string, of func(*Entry) string) {
		if !use {
			return
		}
		r := row{head: head}
		for _, e := range c.Entries {
			r.cells = append(r.cells, of(e))
		}
		list = append(list, r)
	}
	add(cached, results.CacheColumn, func(e *Entry) string { return e.cache.String() })
	add(timed, "prefill", func(e *Entry) string { return known(e.PrefillSeconds, results.Seconds) })
	add(decoded, "decode, tokens/s", func(e *Entry) string {
		return known(e.TokensPerSec, func(v float64) string { return results.Significant(v, 3) })
	})
	audited := slices.ContainsFunc(c.Entries, func(e *Entry) bool { return e.Evidence != nil })
	add(audited, "lost answers", func(e *Entry) string {
		if e.Evidence == nil {
			return "n/a"
		}
		return fmt.Sprintf("%d of %d", e.Evidence.Lost, e.Evidence.Known)
	})
	// Where no answer was lost, or no lost one's evidence is marked, there is no label.
	labelled := slices.ContainsFunc(c.Entries, func(e *Entry) bool { return e.Evidence != nil && len(e.Evidence.Labels) > 0 })
	for _, label := range results.EvidenceLabels() {
		add(labelled, "lost: "+label, func(e *Entry) string {
			if e.Evidence == nil {
				return "n/a"
			}
			return e.Evidence.Share(label)
		})
	}
	var g results.Grid
	if len(c.Entries) > len(c.Lines)+1 {
		g.Head = []string{""}
		for _, r := range list {
			g.Head = append(g.Head, r.head)
		}
		for k, e := range c.Entries {
			line := []string{e.Name}
			for _, r := range list {
				line = append(line, r.cells[k])
			}
			g.Rows, g.Strong = append(g.Rows, line), append(g.Strong, k == 0)
		}
	} else {
		g.Head = []string{"task (samples)"}
		for _, e := range c.Entries {
			g.Head = append(g.Head, e.Name)
		}
		for _, r := range list {
			g.Rows, g.Strong = append(g.Rows, append([]string{r.head}, r.cells...)), append(g.Strong, r.bold)
		}
	}
	g.Notes = c.notes(timed || decoded)
	g.Notes = append(g.Notes, results.ExplainAbove(caches)...)
	switch {
	case labelled:
		g.Notes = append(g.Notes, results.LostNotes()...)
	case audited:
		g.Notes = append(g.Notes, results.LostNotes()[0])
	}
	return g
}

// known writes a number that may be missing.
func known(v *float64, write func(float64) string) string {
	if v == nil {
		return "n/a"
	}
	return write(*v)
}

func (x Cell) text() string {
	s := "–"
	if x.Score != nil {
		s = results.Fixed(*x.Score, 2)
	}
	if x.Difference == nil {
		return s
	}
	d := results.Fixed(*x.Difference, 1)
	if *x.Difference > 0 && d != "0.0" {
		d = "+" + d
	}
	s += "  " + d
	if x.Lo != nil && x.Hi != nil {
		s += fmt.Sprintf(" [%s, %s]", results.Fixed(*x.Lo, 1), results.Fixed(*x.Hi, 1))
	}
	if x.Shows && x.P != nil {
		s += "*"
	}
	return s
}

func (c *Contrast) notes(timed bool) []string {
	notes := []string{fmt.Sprintf("points of 0 to 100: mean, then the difference over shared samples with its 95 %% interval; * shows at 5 %% after correction for %d differences (Holm)", c.Comparisons)}
	byIts := map[string][]string{}
	var order []string
	for _, e := range c.Entries[1:] {
		if byIts[e.Against] == nil {
			order = append(order, e.Against)
		}
		byIts[e.Against] = append(byIts[e.Against], e.Name)
	}
	if len(order) == 1 {
		notes = append(notes, "held against "+order[0])
	} else {
		for _, its := range order {
			notes = append(notes, fmt.Sprintf("held against %s: %s", its, strings.Join(byIts[its], "; ")))
		}
	}
	notes = append(notes, c.cautions()...)
	if timed {
		notes = append(notes, "times are each machine's own; variants of one run share their prefill and are decoded together")
	}
	return append(notes, c.Notes...)
}

// cautions tell what holds for several entries once: of all entries of a run by the run's name.
func (c *Contrast) cautions() (list []string) {
	type place struct{ run, text string }
	var order []place
	names, of := map[place][]string{}, map[string]int{}
	for _, e := range c.Entries {
		of[e.run]++
		for _, w := range e.Caution {
			p := place{e.run, w}
			if names[p] == nil {
				order = append(order, p)
			}
			names[p] = append(names[p], e.Name)
		}
	}
	for _, p := range order {
		who := strings.Join(names[p], "; ")
		if n := len(names[p]); n > 1 && n == of[p.run] {
			who = fmt.Sprintf("%s, all %d variants", p.run, n)
		}
		list = append(list, who+": "+p.text)
	}
	return list
}

// Text writes the table and a line for each entry, for a terminal of a width.
func (c *Contrast) Text(width int) string {
	var b strings.Builder
	g := c.Grid()
	notes := g.Notes
	g.Notes = nil
	b.WriteString(g.Text(width))
	for _, n := range notes {
		b.WriteString(results.Wrap(results.Visible(n), width) + "\n")
	}
	b.WriteString("\n")
	for _, e := range c.Entries {
		b.WriteString(results.Wrap(results.Visible(e.Name+" "+separated(e)), width) + "\n")
	}
	return b.String()
}

// separated joins an entry's name with its sentence.
func separated(e *Entry) string {
	if e.against == nil {
		return "is " + e.Words
	}
	return e.Words
}
