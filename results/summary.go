package results

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strings"
)

// Summary is summary.json: the tables as numbers. Unknown numbers are null, never zero.
type Summary struct {
	Schema   int              `json:"schema"`
	Scale    string           `json:"scale"`
	Run      string           `json:"run"`
	Rows     int              `json:"rows"`
	Missing  int              `json:"missing_rows,omitempty"` // of a run that was joined without them
	Failed   int              `json:"failed"`
	Audit    int              `json:"audit_failures"`
	Subjects []SubjectSummary `json:"subjects"`
}

// SubjectSummary is one model under one protocol on one device.
type SubjectSummary struct {
	Model    string          `json:"model"`
	Revision string          `json:"revision,omitempty"`
	Rope     string          `json:"rope,omitempty"`
	Protocol string          `json:"protocol,omitempty"`
	Device   string          `json:"device"`
	DType    string          `json:"dtype"`
	Cells    []CellSummary   `json:"cells"`
	Costs    []CostSummary   `json:"costs"`
	Ladders  []LadderSummary `json:"by_length,omitempty"`
	Parts    []PartSummary   `json:"fidelity_by_part,omitempty"`
	Evidence []Evidence      `json:"evidence,omitempty"`
	Loads    []LoadSummary   `json:"throughput,omitempty"`
	// Followed and Leaked are counts of instructions, and shares of system texts, 0 to 1.
	Followed []FollowedLine `json:"instructions_followed,omitempty"`
	Leaked   []LeakedLine   `json:"leaked,omitempty"`
	Warnings []string       `json:"warnings,omitempty"`
}

// summaryScale says what the numbers are; a file without it is of before, when they were 0 to 1.
const summaryScale = "score, recalled, lm_eval_f1, loose, top1_agreement, drops, repeat_equal and repeat_score are 0 to 100; divergences are nats"

// CellSummary is one measure of one task (or average) and variant. Scores are 0 to 100.
type CellSummary struct {
	Measure string       `json:"measure"`
	Task    string       `json:"task"`
	Average bool         `json:"average,omitempty"`
	Variant string       `json:"variant"`
	Samples int          `json:"samples"`
	Failed  int          `json:"failed"`
	Mean    *float64     `json:"mean"`
	Lo      *float64     `json:"lo"`
	Hi      *float64     `json:"hi"`
	Method  string       `json:"method,omitempty"`
	Drop    *DropSummary `json:"drop,omitempty"`
}

// DropSummary is the paired drop against the baseline.
type DropSummary struct {
	Mean   *float64 `json:"mean"`
	Lo     *float64 `json:"lo"`
	Hi     *float64 `json:"hi"`
	N      int      `json:"samples"`
	Differ int      `json:"differ"`
	Method string   `json:"method"`
}

// CostSummary is Cost with nulls.
type CostSummary struct {
	Variant                string   `json:"variant"`
	Rows                   int      `json:"rows"`
	PromptTokens           *float64 `json:"prompt_tokens"`
	PrefillSeconds         *float64 `json:"prefill_seconds"`
	PrefillTokensPerSecond *float64 `json:"prefill_tokens_per_second"`
	DecodeTokensPerSecond  *float64 `json:"decode_tokens_per_second"`
	CacheBytes             *float64 `json:"cache_bytes"`
	CacheTimesFull         *float64 `json:"cache_times_full"`
	KeptMean               *float64 `json:"kept_mean"`
	PeakBytes              *int64   `json:"peak_bytes"`
	AuditFailures          int      `json:"audit_failures"`

	FirstTokenSecondsP50 *float64 `json:"first_token_seconds_p50,omitempty"`
	FirstTokenSecondsP95 *float64 `json:"first_token_seconds_p95,omitempty"`
	TokenSecondsP50      *float64 `json:"token_seconds_p50,omitempty"`
	TokenSecondsP95      *float64 `json:"token_seconds_p95,omitempty"`
	RepeatEqual          *float64 `json:"repeat_equal,omitempty"`
	RepeatScore          *float64 `json:"repeat_score,omitempty"`
}

// PartSummary is PartFidelity with nulls, and with agreement from 0 to 100.
type PartSummary struct {
	Variant string   `json:"variant"`
	From    int      `json:"from_token"`
	To      *int     `json:"to_token"` // null: the answer's end
	Rows    int      `json:"rows"`
	KL      *float64 `json:"kl"`
	Bound   bool     `json:"kl_is_lower_bound"`
	Top1    *float64 `json:"top1_agreement"`
}

// LoadSummary is a server's Load with its rates.
type LoadSummary struct {
	Load
	RequestsPerSecond     *float64 `json:"requests_per_second"`
	PromptTokensPerSecond *float64 `json:"prompt_tokens_per_second"`
	NewTokensPerSecond    *float64 `json:"new_tokens_per_second"`
}

// known is a number for JSON, null where it is not one. A zero has no sign: JSON would write it.
func known(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	if v == 0 {
		v = 0
	}
	return &v
}

// Summarize makes the numbers of a set's tables.
func Summarize(set Set) Summary {
	s := Summary{Schema: Schema, Scale: summaryScale, Run: set.Run.Name, Rows: len(set.Rows), Missing: set.Run.Missing, Subjects: []SubjectSummary{}}
	for i := range set.Rows {
		if set.Rows[i].Error != "" {
			s.Failed++
		}
		if set.Rows[i].Audit != "" {
			s.Audit++
		}
	}
	subjects, parts := Subjects(set.Rows)
	for i, sub := range subjects {
		out := SubjectSummary{Model: sub.Model, Revision: sub.Revision, Rope: sub.Rope, Protocol: sub.Protocol, Device: sub.Device, DType: sub.DType, Cells: []CellSummary{}}
		for _, m := range Measures() {
			t, ok := newTable(set.Run, parts[i], m, true)
			if !ok {
				continue
			}
			out.Warnings = union(out.Warnings, t.Warnings)
			scale := 1.0
			if m.Points {
				scale = 100
			}
			for _, l := range t.Lines {
				for k, c := range l.Cells {
					cs := CellSummary{
						Measure: m.Name, Task: l.Name, Average: l.Average, Variant: t.Variants[k], Samples: c.N, Failed: c.Failed,
						Mean: known(scale * c.Mean), Lo: known(scale * c.Lo), Hi: known(scale * c.Hi), Method: c.Method,
					}
					if d := c.Drop; d != nil {
						cs.Drop = &DropSummary{Mean: known(100 * d.Drop), Lo: known(100 * d.Lo), Hi: known(100 * d.Hi), N: d.N, Differ: d.Differ, Method: d.Method}
					}
					out.Cells = append(out.Cells, cs)
				}
			}
		}
		rows := Once(parts[i])
		for _, t := range lengthTables(set.Run, rows) {
			out.Ladders = append(out.Ladders, t.summary())
		}
		for _, c := range Costs(set.Run, rows) {
			cs := CostSummary{
				Variant: c.Variant, Rows: c.Rows, PromptTokens: known(c.PromptTokens), PrefillSeconds: known(c.PrefillSeconds),
				PrefillTokensPerSecond: known(c.PrefillTokensPerSecond), DecodeTokensPerSecond: known(c.DecodeTokensPerSecond),
				CacheBytes: known(c.CacheBytes), CacheTimesFull: known(c.Cache.TimesFull), KeptMean: known(c.KeptMean), AuditFailures: c.AuditFailures,
				FirstTokenSecondsP50: known(c.Served.FirstTokenP50), FirstTokenSecondsP95: known(c.Served.FirstTokenP95),
				TokenSecondsP50: known(c.Served.TokenP50), TokenSecondsP95: known(c.Served.TokenP95),
				RepeatEqual: known(100 * c.Served.Same), RepeatScore: known(100 * c.Served.RepeatScore),
			}
			if c.PeakBytes > 0 {
				cs.PeakBytes = &c.PeakBytes
			}
			out.Costs = append(out.Costs, cs)
		}
		for _, v := range names(rows, func(r *Row) string { return r.Variant }, set.Run.Variants) {
			if l, ok := set.LoadOf(v); ok {
				out.Loads = append(out.Loads, LoadSummary{l, known(l.RequestsPerSecond()), known(l.PromptTokensPerSecond()), known(l.NewTokensPerSecond())})
			}
		}
		for _, f := range FidelityByPart(set.Run, rows) {
			ps := PartSummary{Variant: f.Variant, From: f.Part.From, Rows: f.Rows, KL: known(f.KL), Bound: f.Bound, Top1: known(100 * f.Top1)}
			if f.Part.To >= 0 {
				ps.To = &f.Part.To
			}
			out.Parts = append(out.Parts, ps)
		}
		out.Followed, out.Leaked = FollowedBy(set.Run, rows), LeakedBy(set.Run, rows)
		out.Evidence = Evidences(set.Run, rows)
		s.Subjects = append(s.Subjects, out)
	}
	return s
}

// Section is a piece of a summary: a heading and a grid, in the order in which to show them.
type Section struct {
	Heading string
	Grid    Grid
}

// Sections lays a set out as tables: for every subject each measure, the drop, and the cost; then the difference
// between protocols of the same prompts, and what failed.
func Sections(set Set) []Section {
	var list []Section
	subjects, parts := Subjects(set.Rows)
	for i, sub := range subjects {
		for _, m := range Measures() {
			t, ok := newTable(set.Run, parts[i], m, true)
			if !ok {
				continue
			}
			t.Title = sub.String()
			list = append(list, Section{strings.ToUpper(m.Title[:1]) + m.Title[1:], t.Grid()})
			if g, ok := t.DropGrid(); ok {
				list = append(list, Section{"Drop against " + t.Against(), g})
			}
		}
		rows := Once(parts[i])
		for _, t := range lengthTables(set.Run, rows) {
			for _, s := range t.Sections() {
				s.Grid.Title = sub.String()
				list = append(list, s)
			}
		}
		if g, ok := FollowedGrid(set.Run, rows); ok {
			g.Title = sub.String()
			list = append(list, Section{"Instructions followed", g})
		}
		if g, ok := LeakedGrid(set.Run, rows); ok {
			g.Title = sub.String()
			list = append(list, Section{"Leakage", g})
		}
		if g, ok := PartGrid(set.Run, rows); ok {
			g.Title = sub.String()
			list = append(list, Section{"Fidelity by place in the answer", g})
		}
		for _, s := range EvidenceSections(set.Run, rows) {
			s.Grid.Title = sub.String()
			list = append(list, s)
		}
		if g, ok := CostGrid(set.Run, rows); ok {
			g.Title = sub.String()
			list = append(list, Section{"Speed and memory", g})
		}
		if g, ok := set.LoadGrid(rows); ok {
			g.Title = sub.String()
			list = append(list, Section{"Throughput", g})
		}
	}
	for _, g := range Gaps(set) {
		list = append(list, Section{"Difference between " + g.From + " and " + g.To, g.Grid()})
	}
	for _, f := range []struct {
		heading string
		of      func(*Row) string
	}{
		{"Budget audit failed", func(r *Row) string { return r.Audit }},
		{"Rows without a score", func(r *Row) string { return r.Error }},
	} {
		g := Grid{Head: []string{"reason", "task", "variant", "rows"}}
		fails := Failures(set.Rows, f.of)
		const most = 20
		for _, x := range fails[:min(len(fails), most)] {
			g.Rows, g.Strong = append(g.Rows, []string{Brief(x.Error), x.Task, x.Variant, fmt.Sprint(x.Rows)}), append(g.Strong, false)
		}
		if len(fails) > most {
			g.Notes = []string{fmt.Sprintf("%d more lines are left out", len(fails)-most)}
		}
		if len(fails) > 0 {
			list = append(list, Section{f.heading, g})
		}
	}
	if missing := set.Missing(); missing != "" {
		for i := range list {
			list[i].Heading += " (" + missing + ")"
		}
	}
	return list
}

// Missing says how many rows a set lacks that was joined without them, "6 of 20 rows are missing"; "" of any other.
func (s Set) Missing() string {
	n := s.Run.Missing
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%d of %d rows are missing", n, n+len(s.Rows))
}

// Markdown writes summary.md.
func Markdown(set Set) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Run %s\n\n", set.Run.Name)
	if set.Run.Command != "" {
		fmt.Fprintf(&b, "```\n%s\n```\n\n", strings.ReplaceAll(set.Run.Command, "```", "` ` `"))
	}
	title := ""
	for _, s := range Sections(set) {
		if s.Grid.Title != title && s.Grid.Title != "" {
			title = s.Grid.Title
			fmt.Fprintf(&b, "## %s\n\n", title)
		}
		fmt.Fprintf(&b, "### %s\n\n%s\n", s.Heading, s.Grid.Markdown())
	}
	return VisibleLines(b.String())
}

// WriteSummary writes summary.json and summary.md into a folder.
func WriteSummary(dir string, run Run, rows []Row) error {
	set := Set{Run: run, Rows: rows}
	var err error
	if set.Loads, err = readLoads(dir); err != nil {
		return err
	}
	err = WriteAtomic(filepath.Join(dir, summaryFile), func(w io.Writer) error {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		return enc.Encode(Summarize(set))
	})
	if err != nil {
		return err
	}
	return WriteAtomic(filepath.Join(dir, reportFile), func(w io.Writer) error {
		_, err := io.WriteString(w, Markdown(set))
		return err
	})
}
