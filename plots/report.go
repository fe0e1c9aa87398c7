package plots

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/snapbench/snapbench/results"
)

//go:embed assets/report.html
var reportHTML string

//go:embed assets/report.css
var reportCSS string

//go:embed assets/report.js
var reportJS string

// Report writes one HTML file about any number of runs: what was run, tables with intervals, heat maps, curves, speed
// and memory, fidelity, audit, and every sample's prediction under every variant. It needs no network and no other
// file. Runs that fit together (results.Merge) are shown as one; runs that answer the same samples under the same variants, such
// as two versions of the program, are shown one after the other.
//
// Rows travel as JSON and are drawn as they come into view, so that a file of 10,000 rows opens at once.
func Report(w io.Writer, sets []results.Set) error {
	if len(sets) == 0 {
		return errors.New("a report needs at least one run")
	}
	sets = slices.Clone(sets)
	for i := range sets {
		sets[i] = sets[i].Visible()
	}
	page := reportPage{CSS: template.CSS(reportCSS), JS: template.JS(reportJS), Runs: runsOf(sets)}
	parts := sets
	if all, err := results.Merge(sets...); err == nil && !overlap(all.Rows) {
		parts = []results.Set{all}
	}
	page.Data = reportData{Variants: []reportVariant{}, Samples: []reportSample{}}
	for _, set := range parts {
		subjects, rows := results.Subjects(set.Rows)
		for i, sub := range subjects {
			name := sub.String()
			if len(parts) > 1 {
				name = set.Name + ": " + name
			}
			one := results.Set{Name: set.Name, Run: set.Run, Rows: rows[i]}
			page.Sections = append(page.Sections, sectionOf(name, len(page.Sections), one))
			page.Data.add(name, one)
		}
	}
	page.Title = "snapbench report"
	if len(sets) == 1 {
		page.Title = "Run " + page.Runs[0].Name
	}

	t, err := template.New("report").Parse(reportHTML)
	if err != nil {
		return fmt.Errorf("report template: %w", err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, page); err != nil {
		return fmt.Errorf("report template: %w", err)
	}
	// The data is written beside the template, which would escape megabytes of it a second time. encoding/json writes <
	// as \u003c, so no text can end the script element.
	before, after, ok := bytes.Cut(b.Bytes(), []byte(`"rows go here"`))
	if !ok {
		return errors.New("report template: no place for the rows")
	}
	if _, err := w.Write(before); err != nil {
		return err
	}
	if err := json.NewEncoder(w).Encode(page.Data); err != nil {
		return err
	}
	_, err = w.Write(after)
	return err
}

// overlap reports whether two rows answer the same sample under the same variant, as the runs of two versions do: one
// table could show only one of them.
func overlap(rows []results.Row) bool {
	type place struct {
		subject               results.Subject
		task, sample, variant string
	}
	seen := map[place]bool{}
	for i := range rows {
		r := &rows[i]
		p := place{r.Subject(), r.Task, r.Sample, r.Variant}
		if seen[p] {
			return true
		}
		seen[p] = true
	}
	return false
}

type reportPage struct {
	Title    string
	CSS      template.CSS
	JS       template.JS
	Runs     []reportRun
	Sections []reportSection
	Data     reportData
}

type reportRun struct {
	Name, Path, Command, Version, Started, Machine string
	Rows, Failed, Audit                            int
	Partial                                        bool
	Question                                       string
}

func runsOf(sets []results.Set) []reportRun {
	var list []reportRun
	for _, s := range sets {
		r := reportRun{Name: s.Run.Name, Path: s.Name, Command: s.Run.Command, Version: s.Run.Version, Rows: len(s.Rows), Partial: s.Partial}
		if r.Name == "" {
			r.Name = s.Name
		}
		if !s.Run.Started.IsZero() {
			r.Started = s.Run.Started.UTC().Format(time.DateTime) + " UTC"
		}
		m := s.Run.Machine
		var words []string
		for _, w := range append([]string{m.CPU, strings.Trim(m.OS+"/"+m.Arch, "/")}, m.Devices...) {
			if w != "" {
				words = append(words, w)
			}
		}
		if m.Threads > 0 {
			words = append(words, fmt.Sprintf("%d threads", m.Threads))
		}
		if m.Memory > 0 {
			words = append(words, results.Bytes(float64(m.Memory)))
		}
		r.Machine = strings.Join(words, ", ")
		for i := range s.Rows {
			if s.Rows[i].Error != "" {
				r.Failed++
			}
			if s.Rows[i].Audit != "" {
				r.Audit++
			}
		}
		if len(s.Run.Question) > 0 {
			var b bytes.Buffer
			if json.Indent(&b, s.Run.Question, "", "  ") == nil {
				r.Question = b.String()
			}
		}
		list = append(list, r)
	}
	return list
}

type reportSection struct {
	ID, Title string
	Blocks    []reportBlock
}

// reportBlock is a heading with tables and pictures.
type reportBlock struct {
	Heading string
	Text    string
	Grids   []results.Grid
	Figures []template.HTML
}

func sectionOf(name string, n int, set results.Set) reportSection {
	s := reportSection{ID: fmt.Sprintf("part%d", n+1), Title: name}
	figure := func(list []Figure, err error) []template.HTML {
		var out []template.HTML
		if err != nil { // ErrNothing: this picture does not apply
			return nil
		}
		for _, f := range list {
			out = append(out, f.inline())
		}
		return out
	}
	measures := results.Measures()
	for _, m := range measures[:2] { // score, recalled
		tables := results.Tables(set, m)
		if len(tables) == 0 {
			continue
		}
		b := reportBlock{Heading: upper(m.Title)}
		for _, t := range tables {
			g := t.Grid()
			g.Title = ""
			b.Grids = append(b.Grids, g)
			if d, ok := t.DropGrid(); ok {
				d.Title = "Drop against the full cache"
				b.Grids = append(b.Grids, d)
			}
		}
		b.Figures = append(b.Figures, figure(BudgetMap(set, m))...)
		b.Figures = append(b.Figures, figure(Curves(set, m))...)
		if len(tables[0].Lines) > 1 {
			b.Figures = append(b.Figures, figure(TaskMap(set, m))...)
		}
		if maps, err := NeedleMap(set, m); err == nil {
			// The figure of all variants says what each one's own says.
			all := slices.DeleteFunc(slices.Clone(maps), func(f Figure) bool { return !strings.HasSuffix(f.Name, "_all") })
			if len(all) == 0 {
				all = maps
			}
			b.Figures = append(b.Figures, figure(all, nil)...)
		}
		s.Blocks = append(s.Blocks, b)
	}
	fidelity := reportBlock{Heading: "Fidelity", Text: "Each variant's next-token distribution against the full cache's, along the full cache's own greedy answer."}
	for _, m := range measures[2:] {
		for _, t := range results.Tables(set, m) {
			g := t.Grid()
			g.Title = upper(m.Title)
			fidelity.Grids = append(fidelity.Grids, g)
		}
		fidelity.Figures = append(fidelity.Figures, figure(BudgetMap(set, m))...)
		fidelity.Figures = append(fidelity.Figures, figure(Curves(set, m))...)
	}
	if len(fidelity.Grids) > 0 {
		s.Blocks = append(s.Blocks, fidelity)
	}
	if g, ok := results.CostGrid(set.Run, set.Rows); ok {
		s.Blocks = append(s.Blocks, reportBlock{Heading: "Speed and memory", Grids: []results.Grid{g}})
	}
	s.Blocks = append(s.Blocks, auditBlock(set))
	return s
}

func auditBlock(set results.Set) reportBlock {
	b := reportBlock{Heading: "Audit"}
	measured := 0
	for i := range set.Rows {
		if set.Rows[i].KeptMean != nil {
			measured++
		}
	}
	broken := results.Failures(set.Rows, func(r *results.Row) string { return r.Audit })
	failed := results.Failures(set.Rows, func(r *results.Row) string { return r.Error })
	switch {
	case len(broken) > 0:
		b.Text = "Some caches are not what their budget says."
	case measured == 0:
		b.Text = "No row says what its cache kept."
	case measured < len(set.Rows):
		b.Text = fmt.Sprintf("All caches that were measured are what their budget says: %d of %d rows.", measured, len(set.Rows))
	default:
		b.Text = fmt.Sprintf("All %d caches are what their budget says.", measured)
	}
	for _, f := range []struct {
		title string
		list  []results.Failure
	}{{"Caches that are not what their budget says", broken}, {"Rows without a score", failed}} {
		if len(f.list) == 0 {
			continue
		}
		g := results.Grid{Title: f.title, Head: []string{"reason", "task", "variant", "rows"}}
		const most = 50
		for _, x := range f.list[:min(len(f.list), most)] {
			g.Rows, g.Strong = append(g.Rows, []string{x.Error, x.Task, x.Variant, fmt.Sprint(x.Rows)}), append(g.Strong, false)
		}
		if len(f.list) > most {
			g.Notes = []string{fmt.Sprintf("%d more lines are left out", len(f.list)-most)}
		}
		b.Grids = append(b.Grids, g)
	}
	return b
}

// inline is the figure as SVG for a page: its greys follow the page's theme, and it shrinks to the page's width.
func (f Figure) inline() template.HTML {
	s := string(f.SVG())
	if i := strings.Index(s, "<svg"); i >= 0 {
		s = s[i:]
	}
	s = svgComment.ReplaceAllString(s, "")
	s = themed.Replace(s)
	// The library draws with the y axis upwards and repeats that in every element; what matters is the frame.
	s = strings.Replace(s, "<svg", fmt.Sprintf(`<svg class="figure" role="img" aria-label=%q`, template.HTMLEscapeString(f.Title)), 1)
	return template.HTML(s)
}

var svgComment = regexp.MustCompile(`(?s)<!--.*?-->`)

var themed = strings.NewReplacer(
	"#1A1A1A", "var(--ink)", "#777777", "var(--muted)", "#FFFFFF", "var(--panel)", "#DDDDDD", "var(--grid)",
	"#E2E2E2", "var(--na)", "#C4C4C4", "var(--hatch)", "#000000", "var(--ink)", "#444444", "var(--muted)",
)

// reportData is the rows as the page's script reads them: texts that repeat once, numbers in short lists.
type reportData struct {
	Parts    []string        `json:"parts"`
	Variants []reportVariant `json:"variants"`
	Prompts  []string        `json:"prompts"`
	Samples  []reportSample  `json:"samples"`
}

type reportVariant struct {
	Part     int    `json:"part"`
	Name     string `json:"name"`
	Label    string `json:"label"`
	Baseline bool   `json:"base,omitempty"`
}

type reportSample struct {
	Part    int         `json:"p"`
	Task    string      `json:"t"`
	ID      string      `json:"s"`
	Metric  string      `json:"m"`
	Prompt  int         `json:"x"` // index of Prompts
	Answers []string    `json:"a"`
	Tokens  *int        `json:"n,omitempty"`
	Length  *int        `json:"l,omitempty"`
	Depth   *float64    `json:"d,omitempty"`
	Rows    []reportRow `json:"r"`
}

type reportRow struct {
	Variant  int      `json:"v"`
	Text     string   `json:"y"`
	Score    *float64 `json:"c,omitempty"`
	Recalled *float64 `json:"q,omitempty"`
	KL       *float64 `json:"k,omitempty"`
	New      *int     `json:"n,omitempty"`
	Error    string   `json:"e,omitempty"`
	Note     string   `json:"o,omitempty"`
}

func (d *reportData) add(part string, set results.Set) {
	p := len(d.Parts)
	d.Parts = append(d.Parts, part)
	rows := slices.Clone(set.Rows)
	set.Run.Sort(rows)
	labels := results.Labels(rows)
	variants := map[string]int{}
	for _, v := range distinctInOrder(rows, func(r *results.Row) string { return r.Variant }) {
		variants[v] = len(d.Variants)
		d.Variants = append(d.Variants, reportVariant{Part: p, Name: v, Label: labels[v]})
	}
	prompts := map[string]int{}
	type key struct{ task, sample string }
	samples := map[key]int{}
	short := func(v *float64) *float64 {
		if v == nil {
			return nil
		}
		r := math.Round(1e4**v) / 1e4
		return &r
	}
	for i := range rows {
		r := &rows[i]
		if r.Policy == "full" {
			d.Variants[variants[r.Variant]].Baseline = true
		}
		k := key{r.Task, r.Sample}
		at, ok := samples[k]
		if !ok {
			at = len(d.Samples)
			samples[k] = at
			x, seen := prompts[r.PromptTail]
			if !seen {
				x = len(d.Prompts)
				prompts[r.PromptTail] = x
				d.Prompts = append(d.Prompts, r.PromptTail)
			}
			d.Samples = append(d.Samples, reportSample{
				Part: p, Task: r.Task, ID: r.Sample, Metric: r.Metric, Prompt: x, Answers: append([]string{}, r.Answers()...),
				Tokens: r.PromptTokens, Length: r.Length, Depth: r.Depth,
			})
		}
		d.Samples[at].Rows = append(d.Samples[at].Rows, reportRow{
			Variant: variants[r.Variant], Text: r.Prediction, Score: short(r.Score), Recalled: short(r.Recalled), KL: r.KLMean,
			New: r.NewTokens, Error: strings.TrimSpace(r.Error + " " + r.Audit), Note: r.Note,
		})
	}
}

// WriteReport writes Report to a file, whole or not at all.
func WriteReport(path string, sets []results.Set) error {
	return results.WriteAtomic(path, func(w io.Writer) error { return Report(w, sets) })
}
