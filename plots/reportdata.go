package plots

import (
	"math"
	"slices"
	"strings"

	"github.com/snapbench/snapbench/results"
)

// reportData is the rows as the page's script reads them: texts that repeat once, numbers in short lists.
type reportData struct {
	Parts    []string        `json:"parts"`
	Variants []reportVariant `json:"variants"`
	Prompts  []string        `json:"prompts"`
	Samples  []reportSample  `json:"samples"`
	Kept     []reportKept    `json:"kept,omitempty"`
	KeptOf   *reportKeptOf   `json:"keptof,omitempty"`
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
	Needle  string      `json:"w,omitempty"`
	Answers []string    `json:"a"`
	Tokens  *int        `json:"n,omitempty"`
	Length  *int        `json:"l,omitempty"`
	Depth   *float64    `json:"d,omitempty"`
	Rows    []reportRow `json:"r"`
}

type reportRow struct {
	id       string   // of the row of results
	Variant  int      `json:"v"`
	Text     string   `json:"y"`
	Score    *float64 `json:"c,omitempty"`
	Recalled *float64 `json:"q,omitempty"`
	KL       *float64 `json:"k,omitempty"`
	New      *int     `json:"n,omitempty"`
	Label    string   `json:"l,omitempty"` // why the answer was lost
	Rho      *float64 `json:"h,omitempty"`
	Error    string   `json:"e,omitempty"`
	Note     string   `json:"o,omitempty"`
}

func (d *reportData) add(part string, set results.Set) {
	p := len(d.Parts)
	d.Parts = append(d.Parts, part)
	rows := slices.Clone(set.Rows)
	set.Run.Sort(rows)
	labels, baseline := results.Labels(rows), set.Run.BaselineOf(rows)
	variants := map[string]int{}
	for _, v := range distinctInOrder(rows, func(r *results.Row) string { return r.Variant }) {
		variants[v] = len(d.Variants)
		d.Variants = append(d.Variants, reportVariant{Part: p, Name: v, Label: labels[v], Baseline: v == baseline})
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
				Part: p, Task: r.Task, ID: r.Sample, Metric: r.Metric, Prompt: x, Needle: r.NeedleText, Answers: append([]string{}, r.Answers()...),
				Tokens: r.PromptTokens, Length: r.Length, Depth: r.Depth,
			})
		}
		d.Samples[at].Rows = append(d.Samples[at].Rows, reportRow{
			id: r.ID, Variant: variants[r.Variant], Text: r.Prediction, Score: short(r.Score), Recalled: short(r.Recalled), KL: r.KLMean,
			New: r.NewTokens, Label: r.EvidenceLabel, Rho: short(r.EvidenceRho), Error: strings.TrimSpace(r.Error + " " + r.Audit), Note: r.Note,
		})
	}
}
