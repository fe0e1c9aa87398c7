package runners

import (
	"github.com/snapbench/snapbench/metrics"
	"github.com/snapbench/snapbench/results"
)

// gradeFollowed fills in which instructions a prediction follows, and the share that it follows by
// the loose reading.
func gradeFollowed(r *results.Row, reference metrics.Reference) error {
	list, err := metrics.FollowedOf(r.Prediction, reference)
	if err != nil {
		return err
	}
	r.Followed = map[string]string{}
	loose, before := 0, map[string]int{}
	for _, f := range list {
		how := results.NotFollowed
		switch {
		case f.Strict:
			how = results.FollowedStrictly
		case f.Loose:
			how = results.FollowedLoosely
		}
		if f.Loose {
			loose++
		}
		name := f.Name()
		r.Followed[results.NumberedInstruction(name, before[name])] = how
		before[name]++
	}
	r.Loose = pointer(float64(loose) / float64(len(list)))
	return nil
}

// gradeLeaked fills in how much of a system text a prediction gives away, where the sample says what
// is its instructions and what its defence.
func gradeLeaked(r *results.Row, reference metrics.Reference) error {
	l, err := metrics.LeakedOf(r.Prediction, reference)
	if err != nil || len(reference.Answers) < 3 {
		return err
	}
	r.LeakedInstructions, r.LeakedDefence, r.LeakedBoth = &l.Instructions, &l.Defence, &l.Both
	return nil
}
