package ruler

import (
	"math"
	"strings"
)

// search finds the size at which the samples of a task are made. count is the tokens of a text,
// extra those of what stands beside every prompt.
func (c *Config) search(g generator, s *streams, budget, extra int) (int, error) {
	if c.Edition == Edition2024 {
		return c.searchUp(g, s, budget, extra)
	}
	return c.searchBetween(g, s, budget, extra)
}

// searchBetween is the search of 2026: by halves, up to three times what one prompt lets expect.
// Each probe is a prompt of its own, so that the sizes that fit are not quite all below those
// that do not.
func (c *Config) searchBetween(g generator, s *streams, budget, extra int) (int, error) {
	probe := g.step()
	_, isCWE := g.(*cwe)
	if isCWE {
		probe = cweProbe
	}
	d := g.draw(s, 0, probe)
	if d == nil {
		return 0, errShort
	}
	tokens, err := c.Count(d.text())
	if err != nil {
		return 0, err
	}
	each := float64(tokens) / float64(probe)
	most := int(float64(budget) / each * 3)
	if isCWE {
		most = int(floorDivide(float64(budget), each)) * 2
	}
	low, high, best := g.step(), max(most, 2*g.step()), 0
	for low <= high {
		middle := (low + high) / 2
		fits := false
		if d := g.draw(s, 0, middle); d != nil {
			if tokens, err = c.Count(d.text()); err != nil {
				return 0, err
			}
			fits = tokens+extra <= budget
		}
		if fits {
			best, low = middle, middle+1
		} else {
			high = middle - 1
		}
	}
	if best == 0 {
		best = g.step()
	}
	return best, nil
}

// floorDivide is Python's // of floats.
func floorDivide(a, b float64) float64 {
	quotient := (a - math.Mod(a, b)) / b
	floor := math.Floor(quotient)
	if quotient-floor > 0.5 {
		floor++
	}
	return floor
}

// searchUp is the search of 2024: upward by steps, with the answers counted as well, until a
// prompt is too long.
//
// Every probe is drawn, as the draws of the next ones follow, but one is counted only where it
// might be too long: where it would be if all that was added since the last count had several
// times as many tokens as what was there. That leaves a dozen counts of many hundred.
func (c *Config) searchUp(g generator, s *streams, budget, extra int) (int, error) {
	const times = 3
	most, whole := math.MaxInt, false
	if e, ok := g.(interface{ most() (int, bool) }); ok {
		most, whole = e.most()
	}
	size := g.step()
	counted, tokens := 0, 0 // size and tokens of the prompt that was counted last
	for total := extra; total < budget; {
		d := g.draw(s, 0, size)
		if d == nil {
			return 0, errShort
		}
		total = budget
		if counted > 0 && !c.countAll {
			total = tokens + times*tokens*(size-counted)/counted + extra
		}
		if total >= budget {
			n, err := c.Count(d.text() + appended(c.Task, d.answers))
			if err != nil {
				return 0, err
			}
			counted, tokens, total = size, n, n+extra
		}
		if total > budget {
			return size - g.step(), nil
		}
		if whole && size > most {
			return most, nil
		}
		if size += g.step(); !whole && size > most {
			return most, nil
		}
	}
	return size, nil
}

// appended is what the answers add to a prompt while its size is sought.
func appended(task string, answers []string) string {
	switch data().Tasks[task].Family {
	case "niah":
		return strings.Join(answers, " ")
	case "cwe":
		return " " + numbered(answers)
	}
	return " " + pythonList(answers)
}
