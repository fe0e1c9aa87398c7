package plots

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
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
			one := results.Set{Name: set.Name, Run: set.Run, Rows: rows[i], Loads: set.Loads}
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

// WriteReport writes Report to a file, whole or not at all.
func WriteReport(path string, sets []results.Set) error {
	return results.WriteAtomic(path, func(w io.Writer) error { return Report(w, sets) })
}
