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
	tokens, err := c.Count(d.text.String())
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
			if tokens, err = c.Count(d.text.String()); err != nil {
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
// Every probe is drawn, as the draws of the next ones follow, but not every one is counted: a
// text cannot have more tokens than an earlier one by more than the bytes that it has more. That
// is a bound by far, as a token has about four bytes, and leaves a few dozen counts of many
// hundred.
func (c *Config) searchUp(g generator, s *streams, budget, extra int) (int, error) {
	most, whole := math.MaxInt, false
	if e, ok := g.(interface{ most() (int, bool) }); ok {
		most, whole = e.most()
	}
	size := g.step()
	counted, tokens := 0, 0 // bytes and tokens of the text that was counted last
	for total := extra; total < budget; {
		d := g.draw(s, 0, size)
		if d == nil {
			return 0, errShort
		}
		text := d.text.String() + appended(c.Task, d.answers)
		if total = tokens + max(0, len(text)-counted) + extra; total >= budget || c.countAll { // at most
			n, err := c.Count(text)
			if err != nil {
				return 0, err
			}
			counted, tokens, total = len(text), n, n+extra
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
