// Package gate says whether a change may pass: it holds the rows of a candidate against a baseline's, sample by sample,
// against limits.
//
//	Runs, Variants   two runs, or the variants of one with one of them
//	Limits           what is allowed, and which question is asked (About)
//	Result           a verdict for each comparison and for all, as tables, Markdown, JSON, JUnit
//	Plan             how many samples a limit takes, before anything runs
package gate

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/snapbench/snapbench/inputs/lookup"
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

// Scale says what the numbers of a verdict's and a plan's JSON are.
const Scale = "scores, drops, limits, intervals and spreads are points of 0 to 100; p and confidence are probabilities of 0 to 1"

// Result is what a gate found.
type Result struct {
	Verdict    Verdict      `json:"verdict"`
	About      About        `json:"about"`
	Scale      string       `json:"scale"`
	Baseline   string       `json:"baseline"`
	Candidate  string       `json:"candidate"`
	Across     []Difference `json:"across,omitempty"`     // what the runs differ in, by leave
	Confidence float64      `json:"confidence,omitempty"` // about the population
	Lines      []Line       `json:"comparisons"`
	Checks     []Check      `json:"checks"`
	Notes      []string     `json:"notes,omitempty"`
}

// Line is one comparison: a task or the average of all, under one variant. Scores, drops and limits are 0 to 100.
type Line struct {
	Subject        string   `json:"subject"`
	Variant        string   `json:"variant"`
	Label          string   `json:"label"`
	Task           string   `json:"task"`
	Average        bool     `json:"average,omitempty"`
	Samples        int      `json:"samples"`
	Changed        int      `json:"changed"` // samples with another text
	Better         int      `json:"better"`  // samples with a higher score
	Worse          int      `json:"worse"`   // samples with a lower score
	Identical      bool     `json:"identical"`
	Baseline       float64  `json:"baseline"`
	Score          float64  `json:"score"`
	Drop           float64  `json:"drop"`
	Limit          float64  `json:"limit"`
	Asked          string   `json:"asked"`     // the limit as written
	P              *float64 `json:"p_mcnemar"` // of as many worse as better (McNemar, exact); null where scores are not 0 or 1
	Verdict        Verdict  `json:"verdict"`
	CacheTimesFull *float64 `json:"cache_times_full"`  // the candidate's caches as a multiple of the full cache's; null where unknown
	Nothing        bool     `json:"nothing,omitempty"` // all scores of the subject are 0: undecided, for no drop could show
	*Bounds                 // about the population; nil about the set
	cache          results.Footprint
}

// Bounds are what a verdict about the population rests on.
type Bounds struct {
	Lo     *float64 `json:"lo"` // 95 % interval of the drop; null without one
	Hi     *float64 `json:"hi"`
	PPass  float64  `json:"p_pass"` // Holm-corrected p-value of "the drop is at least the limit"
	PFail  float64  `json:"p_fail"` // of "the drop is at most the limit"
	Method string   `json:"method"`
	Needed *int     `json:"needed,omitempty"` // samples it would take to decide, if all stays as seen; null where decided or none would do
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

// Runs holds a candidate's results against a baseline's, variant by variant of the same name; where each has a single
// variant, these two, whatever their names. Runs that differ in model, device or number format are refused with a
// [RefusedError], unless limits.Across allows what they differ in.
func Runs(base, cand results.Set, limits Limits) (*Result, error) {
	p, err := pairRuns(base, cand, limits)
	if err != nil {
		return nil, err
	}
	return p.judge(limits)
}

// ErrUnknownVariant says that a run has no variant of the name asked for.
var ErrUnknownVariant = errors.New("unknown variant")

// theBaseline names the variant of [results.Run.BaselineOf], whatever it is called.
const theBaseline = "baseline"

// Variants holds every variant of a set against one of its own, such as full, or "baseline" for the one that its
// tables are against; where it has none of that name the error wraps [ErrUnknownVariant].
func Variants(set results.Set, against string, limits Limits) (*Result, error) {
	p, err := pairVariants(set, against, limits)
	if err != nil {
		return nil, err
	}
	return p.judge(limits)
}

// pairing is what a gate compares, before it judges.
type pairing struct {
	baseline, candidate string
	contests            []contest
	reasons             []string // why not
	across              []Difference
	notes               []string
	twoRuns             bool
}

func pairRuns(base, cand results.Set, limits Limits) (*pairing, error) {
	if base.Partial || cand.Partial {
		return nil, refusePartial(base, cand)
	}
	p := &pairing{baseline: base.Name, candidate: cand.Name, twoRuns: true}
	baseSubjects, baseParts := results.Subjects(base.Rows)
	candSubjects, candParts := results.Subjects(cand.Rows)
	heldTo := map[int]int{} // a part of the candidate → the baseline's
	for i, cs := range candSubjects {
		k, reason := limits.Across.partner(cs, baseSubjects)
		switch {
		case reason != "":
			p.reasons = append(p.reasons, reason)
			continue
		case k < 0 && len(baseSubjects) == 1 && len(candSubjects) == 1:
			k = 0 // refused by their differences; what else they differ in is said at once
		case k < 0:
			p.reasons = append(p.reasons, fmt.Sprintf("%s is only in the candidate", cs))
			continue
		}
		found, why := limits.Across.differences(baseSubjects[k], cs)
		p.differ(found...)
		p.reasons = append(p.reasons, why...)
		heldTo[i] = k
		p.match(cs.String(), baseParts[k], candParts[i], base.Run, cand.Run, limits.Across)
	}
	if len(p.reasons) == 0 {
		for _, bs := range baseSubjects {
			if !slices.ContainsFunc(candSubjects, func(cs results.Subject) bool { return limits.Across.key(bs) == limits.Across.key(cs) }) {
				p.reasons = append(p.reasons, fmt.Sprintf("%s is only in the baseline", bs))
			}
		}
	}
	p.reasons = append(spread(baseSubjects, candSubjects, baseParts, candParts, heldTo, limits.Across.key), p.reasons...)
	return p, nil
}

func pairVariants(set results.Set, against string, limits Limits) (*pairing, error) {
	if set.Partial {
		return nil, refusePartial(set)
	}
	if len(limits.Across) > 0 {
		return nil, fmt.Errorf("%s is for two runs: the variants of one run are of one model, device and number format", limits.name("across"))
	}
	if limits.MaxSlowdown != nil || limits.MaxPeak != nil {
		return nil, fmt.Errorf("%s and %s compare two runs: the variants of one run share their prefill and are decoded together",
			limits.name("max_slowdown"), limits.name("max_peak"))
	}
	p := &pairing{baseline: set.Name + ": " + against, candidate: set.Name}
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
			return nil, fmt.Errorf("%w %q: %s%s has %s", ErrUnknownVariant, against, lookup.Offer(against, have), subjects[i], strings.Join(have, ", "))
		}
		base := byTask(rows, variants[at], &p.reasons)
		for _, v := range variants {
			if v != variants[at] {
				p.contests = append(p.contests, contest{
					subject: subjects[i].String(), variant: v, label: labels[v], tasks: set.Run.TasksOf(rows), base: base, cand: byTask(rows, v, &p.reasons),
				})
			}
		}
	}
	if len(p.contests) == 0 && len(p.reasons) == 0 {
		p.reasons = append(p.reasons, fmt.Sprintf("%s has no other variant than %s", set.Name, against))
	}
	return p, nil
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
