package runners

import (
	"github.com/snapbench/snapbench/metrics"
	"github.com/snapbench/snapbench/results"
)

// LongBenchGroups are the groups of tasks that LongBench's tables average: the six
// categories, the sixteen English and code sets, the Chinese sets, and those of
// LongBench-E.
func LongBenchGroups() []results.Group {
	var groups []results.Group
	var all, chinese, e []string
	for _, s := range metrics.LongBench {
		if s.E {
			e = append(e, s.Name+"_e")
		}
		if s.Chinese {
			chinese = append(chinese, s.Name)
			continue
		}
		all = append(all, s.Name)
		if len(groups) == 0 || groups[len(groups)-1].Name != s.Category {
			groups = append(groups, results.Group{Name: s.Category})
		}
		g := &groups[len(groups)-1]
		g.Tasks = append(g.Tasks, s.Name)
	}
	return append(groups, results.Group{Name: "the 16 English and code sets", Tasks: all},
		results.Group{Name: "the 5 Chinese sets", Tasks: chinese}, results.Group{Name: "the 13 sets of LongBench-E", Tasks: e})
}
