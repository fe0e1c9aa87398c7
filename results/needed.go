package results

import "math"

// power is the probability with which the numbers of samples below decide.
const power = 0.8

// Needed estimates how many samples (over all tasks) it would take to decide at the level alpha with a probability of
// 80 %, if the drop and its spread stay as seen. It is 0 where no number would do, because the drop seen is the limit.
func (c *Comparison) Needed(limit, alpha float64) int {
	gap := math.Abs(limit - c.Drop)
	if c.N == 0 || gap < 1e-9 {
		return 0
	}
	need := toPlace(gap, c.Pilot().Spread, alpha)
	if c.Drop < limit {
		need = max(need, c.kind.leastToPass(limit, alpha))
	}
	if !(need < 1e9) {
		return 0
	}
	return max(int(math.Ceil(need)), c.N+1)
}

// Pilot is what a plan knows of a task's differences before it is run: from a smaller run, from another's, or assumed.
type Pilot struct {
	Base   float64 // mean baseline score, 0 to 1
	Spread float64 // standard deviation of a sample's difference, 0 to 1; in an average of the weighted differences
	Differ float64 // share of samples whose scores differ
	Binary bool    // scores are zeros and ones of one task
}

// Pilot takes a comparison for one of the next.
func (c *Comparison) Pilot() Pilot {
	return Pilot{Base: c.Base, Spread: c.se * math.Sqrt(float64(c.N)), Differ: float64(c.Differ) / float64(c.N), Binary: c.kind == exactBinary}
}

// ToPass estimates how many samples it takes at the level alpha, with a probability of 80 %, to pass what loses nothing
// under a limit (0 to 1), and as many to fail what loses twice the limit. It is 0 where no number would do, because the
// limit is 0.
func (p Pilot) ToPass(limit, alpha float64) int {
	if !(limit > 0) {
		return 0
	}
	need := toPlace(limit, p.Spread, alpha)
	if p.Binary {
		need = max(need, exactBinary.leastToPass(limit, alpha))
	} else {
		// Below what the bootstrap asks for, Gaffke's bound decides; whichever comes first.
		need = max(need, min(exactAny.leastToPass(limit, alpha), max(leastBootstrap, leastDiffer/p.Differ)))
	}
	return int(math.Ceil(min(need, 1e9)))
}

// ToStay estimates from how many samples on a change that loses nothing, and is noise of this spread, shows a drop beyond
// the limit (0 to 1) on the samples themselves with at most the probability alpha. It is 0 where no number does.
func (p Pilot) ToStay(limit, alpha float64) int {
	switch {
	case p.Spread == 0:
		return 1
	case !(limit > 0):
		return 0
	}
	return int(math.Ceil(min(math.Pow(normalQuantile(1-alpha)*p.Spread/limit, 2), 1e9)))
}

// toPlace is the number of samples whose mean, as a normal variable, is told from one that is gap away.
func toPlace(gap, spread, alpha float64) float64 {
	if spread == 0 {
		return 0
	}
	return math.Pow((normalQuantile(1-alpha)+normalQuantile(power))*spread/gap, 2)
}

// leastToPass is the number of equal samples that an exact test wants: however equal the scores, a failure rate of the
// limit must have had its chance to show.
func (k kind) leastToPass(limit, alpha float64) float64 {
	switch {
	case !(limit > 0 && limit < 1):
	case k == exactBinary: // Tango's statistic of no disagreement at all
		z := normalQuantile(1 - alpha)
		return z * z * (1 - limit) / limit
	case k == exactAny:
		return math.Log(alpha) / math.Log(1-limit)
	}
	return 0
}
