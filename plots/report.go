package plots

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"

	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/results/kept"
)

//go:embed assets/report.html
var reportHTML string

//go:embed assets/report.css
var reportCSS string

//go:embed assets/page.js assets/figures.js assets/rows.js assets/kept.js assets/sample.js
var reportScripts embed.FS

// reportJS is the page's script: its parts share their names, and the page's other scripts, if any, see none of them.
func reportJS() (string, error) {
	script := "\"use strict\";\n(() => {\n"
	for _, name := range []string{"page", "figures", "rows", "kept", "sample"} {
		b, err := reportScripts.ReadFile("assets/" + name + ".js")
		if err != nil {
			return "", err
		}
		script += string(b) + "\n"
	}
	return script + "})();\n", nil
}

// Report writes one HTML file about any number of runs: how small the cache can get, tables with intervals, heat maps,
// curves, speed and memory, fidelity, audit, every sample's prediction under every variant, and what was run. It needs no
// network and no other file. Runs that fit together (results.Merge) are shown as one; runs that answer the same samples
// under the same variants, such as two versions of the program, are shown one after the other. What was measured alone
// stands with them, and beside the scores of the same model and variants.
//
// Rows travel as JSON and are drawn as they come into view, so that a file of 10,000 rows opens at once.
func Report(w io.Writer, sets []results.Set, speeds ...Speed) error {
	return ReportKept(w, sets, nil, speeds...)
}

// ReportKept is Report with what the caches of some rows kept, where that is known: a sample's page then shows the
// prompt's tokens as each variant kept them.
func ReportKept(w io.Writer, sets []results.Set, positions *kept.Index, speeds ...Speed) error {
	if len(sets)+len(speeds) == 0 {
		return errors.New("a report needs at least one run")
	}
	sets = slices.Clone(sets)
	for i := range sets {
		sets[i] = sets[i].Visible()
	}
	script, err := reportJS()
	if err != nil {
		return err
	}
	page := reportPage{CSS: template.CSS(reportCSS), JS: template.JS(script), Runs: runsOf(sets)}
	parts := sets
	if all, err := results.Merge(sets...); len(sets) > 0 && err == nil && !overlap(all.Rows) {
		parts = []results.Set{all}
	}
	paces := pacesOf(speeds)
	var titles []string
	page.Data = reportData{Parts: []string{}, Variants: []reportVariant{}, Prompts: []string{}, Samples: []reportSample{}}
	for _, set := range parts {
		subjects, rows := results.Subjects(set.Rows)
		for i, sub := range subjects {
			name := sub.String()
			if len(parts) > 1 {
				name = set.Name + ": " + name
			}
			one := results.Set{Name: set.Name, Run: set.Run, Rows: rows[i], Loads: set.Loads}
			section, answer := sectionOf(name, len(page.Data.Parts), one, paces)
			if slices.Contains(titles, section.Title) { // such as two versions of the program: what tells them apart
				section.Title += ", " + name
				if answer != nil {
					answer.Title = section.Title
				}
			}
			section.lacks(set.Missing())
			page.Sections = append(page.Sections, section)
			if answer != nil {
				answer.lacks(set.Missing())
				page.Answers = append(page.Answers, *answer)
			}
			page.Data.add(name, one)
			titles = append(titles, section.Title)
		}
	}
	if positions != nil {
		if err := page.Data.keep(positions); err != nil {
			return err
		}
	}
	for i, set := range parts {
		if gap, ok := gapSection(set, i); ok {
			gap.lacks(set.Missing())
			page.Sections = append(page.Sections, gap)
		}
	}
	if len(page.Answers) == 1 && len(page.Sections) == 1 {
		page.Answers[0].Title = "" // the page's own says it
	}
	for i, s := range speeds {
		page.Sections = append(page.Sections, s.section(i))
		page.Runs = append(page.Runs, s.Run)
		titles = append(titles, s.Title)
	}
	page.Title = "snapbench report"
	switch n := len(titles); {
	case n > 2:
		page.Title = fmt.Sprintf("%s, and %d more", titles[0], n-1)
	case n > 0:
		page.Title = strings.Join(titles, "; ")
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
	Answers  []reportAnswer
	Sections []reportSection
	Runs     []ReportRun
	Data     reportData
}

// WriteReport writes ReportKept to a file, whole or not at all.
func WriteReport(path string, sets []results.Set, positions *kept.Index, speeds ...Speed) error {
	return results.WriteAtomic(path, func(w io.Writer) error { return ReportKept(w, sets, positions, speeds...) })
}
