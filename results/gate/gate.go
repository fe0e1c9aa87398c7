package gate

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/snapbench/snapbench/results"
)

// Verdict is a gate's answer, for one comparison or as a whole.
type Verdict int

// Undecided is the zero value: what was not shown is not claimed.
const (
	Undecided Verdict = iota
	Pass
	Fail
)

func (v Verdict) String() string { return [...]string{"undecided", "pass", "fail"}[v] }

// MarshalText makes the verdict a word in JSON.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// ExitStatus is the process's status: 0 pass, 3 fail, 4 undecided.
func (v Verdict) ExitStatus() int { return [...]int{4, 0, 3}[v] }

// Result is what a gate found.
type Result struct {
	Verdict    Verdict  `json:"verdict"`
	Baseline   string   `json:"baseline"`
	Candidate  string   `json:"candidate"`
	Confidence float64  `json:"confidence"`
	Lines      []Line   `json:"comparisons"`
	Checks     []Check  `json:"checks"`
	Notes      []string `json:"notes,omitempty"`
}

// Line is one test of non-inferiority: a task or the average of all, under one variant. Scores and limits are 0
// to 100.
type Line struct {
	Subject        string   `json:"subject"`
	Variant        string   `json:"variant"`
	Label          string   `json:"label"`
	Task           string   `json:"task"`
	Average        bool     `json:"average,omitempty"`
	Samples        int      `json:"samples"`
	Differ         int      `json:"differ"`  // samples with another score
	Changed        int      `json:"changed"` // samples with another text
	Baseline       float64  `json:"baseline"`
	Score          float64  `json:"score"`
	Drop           float64  `json:"drop"`
	Lo             float64  `json:"lo"` // 95 % interval of the drop
	Hi             float64  `json:"hi"`
	Limit          float64  `json:"limit"`
	Asked          string   `json:"asked"`  // the limit as written
	PPass          float64  `json:"p_pass"` // Holm-corrected p-value of "the drop is at least the limit"
	PFail          float64  `json:"p_fail"` // of "the drop is at most the limit"
	Method         string   `json:"method"`
	Verdict        Verdict  `json:"verdict"`
	CacheTimesFull *float64 `json:"cache_times_full"`  // the candidate's caches as a multiple of the full cache's; null where unknown
	Needed         *int     `json:"needed,omitempty"`  // samples it would take to decide, if all stays as seen; null where decided or none would do
	Nothing        bool     `json:"nothing,omitempty"` // all scores of the subject are 0: undecided, for no drop could show
	cache          results.Footprint
}

// Check is a limit that needs no statistics, or nearly: the budget audit, speed, memory, fidelity.
type Check struct {
	Name    string  `json:"name"`
	Subject string  `json:"subject,omitempty"`
	Label   string  `json:"label,omitempty"`
	Found   string  `json:"found"`
	Limit   string  `json:"limit"`
	Verdict Verdict `json:"verdict"`
}

// RefusedError says why two sets of results cannot be compared: a verdict over samples that are missing, failed or
// differ would be one over something else than what was asked.
type RefusedError struct{ Reasons []string }

func (e *RefusedError) Error() string {
	const most = 12
	shown := e.Reasons
	more := ""
	if len(shown) > most {
		shown, more = shown[:most], fmt.Sprintf("\n  and %d more", len(e.Reasons)-most)
	}
	return "the gate refuses to compare:\n  " + strings.Join(shown, "\n  ") + more
}

// Gate holds a candidate's results against a baseline's, variant by variant of the same name; where each has a single
// variant, these two, whatever their names.
func Runs(base, cand results.Set, limits Limits) (*Result, error) {
	if base.Partial || cand.Partial {
		return nil, refusePartial(base, cand)
	}
	g := &Result{Baseline: base.Name, Candidate: cand.Name}
	var reasons []string
	baseSubjects, baseParts := results.Subjects(base.Rows)
	candSubjects, candParts := results.Subjects(cand.Rows)
	heldTo := map[int]int{} // a part of the candidate → the baseline's
	var contests []contest
	for i, cs := range candSubjects {
		k := -1
		for n, bs := range baseSubjects {
			if model(bs) == model(cs) && (k < 0 || bs == cs) {
				k = n
			}
		}
		if k < 0 && len(baseSubjects) == 1 && len(candSubjects) == 1 {
			bs := baseSubjects[0]
			for _, d := range []struct{ what, a, b string }{{"model", bs.Model, cs.Model}, {"revision", bs.Revision, cs.Revision}, {"protocol", bs.Protocol, cs.Protocol}} {
				if d.a != d.b {
					reasons = append(reasons, fmt.Sprintf("%s: baseline %q, candidate %q", d.what, d.a, d.b))
				}
			}
			continue
		}
		if k < 0 {
			reasons = append(reasons, fmt.Sprintf("%s is only in the candidate", cs))
			continue
		}
		if bs := baseSubjects[k]; bs.Device != cs.Device || bs.DType != cs.DType {
			g.Notes = append(g.Notes, fmt.Sprintf("%s: the baseline ran on %s %s, the candidate on %s %s", cs.Model, bs.Device, bs.DType, cs.Device, cs.DType))
		}
		heldTo[i] = k
		list, why := match(cs.String(), baseParts[k], candParts[i], base.Run, cand.Run)
		contests, reasons = append(contests, list...), append(reasons, why...)
	}
	if len(reasons) == 0 {
		for _, bs := range baseSubjects {
			if !slices.ContainsFunc(candSubjects, func(cs results.Subject) bool { return model(bs) == model(cs) }) {
				reasons = append(reasons, fmt.Sprintf("%s is only in the baseline", bs))
			}
		}
	}
	reasons = append(spread(baseSubjects, candSubjects, baseParts, candParts, heldTo), reasons...)
	return g.judge(contests, reasons, limits, true)
}

// ErrUnknownVariant says that a run has no variant of the name asked for.
var ErrUnknownVariant = errors.New("unknown variant")

// theBaseline names the variant of [Run.BaselineOf], whatever it is called.
const theBaseline = "baseline"

// Variants holds every variant of a set against one of its own, such as full, or "baseline" for the one that its
// tables are against; where it has none of that name the error wraps [ErrUnknownVariant].
func Variants(set results.Set, against string, limits Limits) (*Result, error) {
	if set.Partial {
		return nil, refusePartial(set, results.Set{})
	}
	if limits.MaxSlowdown != nil || limits.MaxPeak != nil {
		return nil, fmt.Errorf("max_slowdown and max_peak compare two runs: the variants of one run share their prefill and are decoded together")
	}
	g := &Result{Baseline: set.Name + ": " + against, Candidate: set.Name}
	var contests []contest
	var reasons []string
	subjects, parts := results.Subjects(set.Rows)
	for i, rows := range parts {
		variants := set.Run.VariantsOf(rows)
		labels := results.Labels(rows)
		at := slices.IndexFunc(variants, func(v string) bool { return v == against || labels[v] == against })
		if at < 0 && against == theBaseline {
			at = slices.Index(variants, set.Run.BaselineOf(rows))
		}
		if at < 0 {
			var have []string
			for _, v := range variants {
				have = append(have, labels[v])
			}
			return nil, fmt.Errorf("%w %q: %s has %s", ErrUnknownVariant, against, subjects[i], strings.Join(have, ", "))
		}
		base := byTask(rows, variants[at], &reasons)
		for _, v := range variants {
			if v != variants[at] {
				contests = append(contests, contest{
					subject: subjects[i].String(), variant: v, label: labels[v], tasks: set.Run.TasksOf(rows), base: base, cand: byTask(rows, v, &reasons),
				})
			}
		}
	}
	if len(contests) == 0 && len(reasons) == 0 {
		reasons = append(reasons, fmt.Sprintf("%s has no other variant than %s", set.Name, against))
	}
	return g.judge(contests, reasons, limits, false)
}

func refusePartial(sets ...results.Set) error {
	var reasons []string
	for _, s := range sets {
		if s.Partial {
			reasons = append(reasons, fmt.Sprintf("%s is not finished: run its command again to continue it", s.Name))
		}
	}
	return &RefusedError{reasons}
}
