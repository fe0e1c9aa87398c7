package plots

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/snapbench/snapbench/results"
)

// ReportRun is a line of a report's list of runs.
type ReportRun struct {
	Title, Name, Path, Command, Version, Started, Machine string
	Rows, Failed, Audit                                   int
	Partial                                               bool
	Question                                              string
}

func runsOf(sets []results.Set) []ReportRun {
	var list []ReportRun
	for _, s := range sets {
		r := ReportRun{
			Title: titleOf(s), Name: s.Run.Name, Path: s.Name, Command: s.Run.Command, Version: s.Run.Version, Rows: len(s.Rows), Partial: s.Partial,
			Machine: machine(s.Run.Machine),
		}
		if !s.Run.Started.IsZero() {
			r.Started = StartTime(s.Run.Started)
		}
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

// StartTime is when a run began, as a report writes it.
func StartTime(t time.Time) string { return t.UTC().Format(time.DateTime) + " UTC" }

// machine describes a machine. What its devices' descriptions say already is not said again.
func machine(m results.Machine) string {
	words := []string{m.CPU, strings.Trim(m.OS+"/"+m.Arch, "/")}
	said := func(w string) bool {
		return slices.ContainsFunc(m.Devices, func(d string) bool { return strings.Contains(d, w) })
	}
	if m.CPU != "" && said(m.CPU) {
		words[0] = ""
	}
	words = append(words, m.Devices...)
	if threads := fmt.Sprintf("%d threads", m.Threads); m.Threads > 0 && !said(threads) {
		words = append(words, threads)
	}
	if m.Memory > 0 {
		words = append(words, results.Bytes(float64(m.Memory)))
	}
	return strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "" }), ", ")
}

// titleOf says what was run: the model, the tasks, the policies and their budgets.
func titleOf(set results.Set) string {
	list := func(names []string, most int, what string) string {
		switch n := len(names); {
		case n > most:
			return fmt.Sprintf("%d %s", n, what)
		case n > 1:
			return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
		case n == 1:
			return names[0]
		}
		return ""
	}
	rows := slices.Clone(set.Rows)
	set.Run.Sort(rows)
	models := distinctInOrder(rows, func(r *results.Row) string {
		if strings.Count(filepath.ToSlash(r.Model), "/") > 1 { // a file's; one slash is an organisation's
			return filepath.Base(r.Model)
		}
		return r.Model
	})
	title := list(models, 2, "models")
	if tasks := distinctInOrder(rows, func(r *results.Row) string { return r.Task }); len(tasks) > 0 {
		title += " on " + list(tasks, 3, "tasks")
	}
	compressed := slices.DeleteFunc(slices.Clone(rows), func(r results.Row) bool { return r.Policy == "full" })
	variants := distinctInOrder(compressed, func(r *results.Row) string { return r.Variant })
	if len(variants) > 0 {
		if compressed[0].Policy == "server" {
			return title + ": " + list(variants, 1, "servers")
		}
		policies := distinctInOrder(compressed, func(r *results.Row) string { return strings.TrimSuffix(r.Policy, "+"+r.Cache) })
		if i := slices.Index(policies, "full"); i >= 0 && len(policies) > 1 { // the full cache in formats
			policies = slices.Delete(policies, i, i+1)
		}
		title += ": " + list(policies, 4, "policies")
		if formats := distinctInOrder(compressed, func(r *results.Row) string { return cmp.Or(r.Cache, nativeFormat) }); len(formats) > 1 || formats[0] != nativeFormat {
			title += " in " + list(formats, 5, "formats")
		}
		budgets := distinctInOrder(compressed, func(r *results.Row) string { return r.Budget })
		budgets = slices.DeleteFunc(budgets, func(b string) bool { return b == "" || b == "full" })
		sortBudgets(budgets)
		shares := !slices.ContainsFunc(budgets, func(b string) bool { return unitOf(b) != "bytes" || !strings.HasSuffix(b, "%") })
		for i, b := range budgets {
			budgets[i] = budgetName(b)
			if unitOf(b) == "bytes" && !shares {
				budgets[i] = results.BudgetLabel(b)
			}
		}
		if len(budgets) > 0 {
			title += " at " + list(budgets, 6, "budgets")
			if shares {
				title += " of the bytes"
			}
		}
	}
	if title == "" {
		return "Run " + set.Run.Name
	}
	return title
}
