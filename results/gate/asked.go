package gate

import (
	"errors"

	"github.com/snapbench/snapbench/results"
)

// Asked is a gate, or its plan, in a user's words: a file of limits, flags over it, and what
// is held to what. Errors name the flags of snapbench gate.
type Asked struct {
	Flags
	File    string // of limits; none where it is empty
	Against string // the variant that one run's others are held to
	Plan    bool   // how many samples the limits take, in place of a verdict
	Flips   string // for a plan: the share of answers that turn, in place of a pilot
	Written bool   // a verdict is written to files
}

// Limits reads the file of limits.
func (a Asked) Limits() (Limits, error) {
	if a.File == "" {
		return Limits{}, nil
	}
	return ReadLimits(a.File)
}

// Check puts the flags over the limits of the file, and refuses what does not go together
// with so many runs.
func (a Asked) Check(file Limits, runs int) (Limits, error) {
	l, err := a.Over(file)
	switch {
	case err != nil:
		return l, err
	case !a.Plan && a.Flips != "":
		return l, errors.New("--flips is for --plan")
	case a.Plan && a.Written:
		return l, errors.New("--plan gives no verdict to write as --junit or --markdown: it prints, also --json")
	case runs != 1 && a.Against != "", !a.Plan && (runs == 0 || runs == 1 && a.Against == ""):
		return l, errors.New("name two runs, or one and --against VARIANT")
	case a.Against != "" && a.Flips != "":
		return l, errors.New("--flips and --against: a plan is by an assumption or by a pilot, not both")
	}
	return l, nil
}

// Judge gives the verdict on two runs, or on the variants of one. An error that wraps
// [ErrUnknownVariant] is one in what was asked.
func (a Asked) Judge(sets []results.Set, l Limits) (*Result, error) {
	if len(sets) == 2 {
		return Runs(sets[0], sets[1], l)
	}
	return Variants(sets[0], a.Against, l)
}

// Samples plans for the limits: by flips, by a pilot of two runs or one, or by published
// spreads.
func (a Asked) Samples(sets []results.Set, l Limits) (*Plan, error) {
	switch {
	case a.Flips != "":
		var tasks []string
		for _, set := range sets {
			tasks = set.Run.TasksOf(set.Rows)
		}
		return PlanFlips(a.Flips, tasks, l)
	case len(sets) == 2:
		return PlanRuns(sets[0], sets[1], l)
	case len(sets) == 1 && a.Against == "":
		return PlanVariants(sets[0], "baseline", l)
	case len(sets) == 1:
		return PlanVariants(sets[0], a.Against, l)
	}
	return PlanPublished(l), nil
}
