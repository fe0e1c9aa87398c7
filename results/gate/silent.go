package gate

import (
	"fmt"

	"github.com/snapbench/snapbench/results"
)

// silent are the subjects of which baseline and candidate score 0 on every sample under
// every variant. A drop from 0 does not exist, so nothing that could have shown one was
// compared: a damaged model, a wrong template or a metric that does not fit look like
// that. A note says so for each.
func (g *Result) silent(contests []contest) map[string]bool {
	silent := map[string]bool{}
	var order []string
	for _, c := range contests {
		was, seen := silent[c.subject]
		if !seen {
			order = append(order, c.subject)
		}
		silent[c.subject] = (was || !seen) && c.allZero()
	}
	for _, s := range order {
		if silent[s] {
			g.Notes = append(g.Notes, fmt.Sprintf("%s: baseline and candidate score 0 on every sample: where there is nothing to lose, no drop can show", s))
		}
	}
	return silent
}

func (c contest) allZero() bool {
	for _, side := range []map[string]map[string]*results.Row{c.base, c.cand} {
		for _, samples := range side {
			for _, r := range samples {
				if r.Score != nil && *r.Score != 0 {
					return false
				}
			}
		}
	}
	return true
}
