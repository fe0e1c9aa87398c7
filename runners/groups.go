package runners

import (
	"slices"

	"github.com/snapbench/snapbench/datasets"
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

// ladders are the tasks of a job that tables show by length.
func ladders(tasks []datasets.Task) (list []results.Ladder) {
	for _, t := range tasks {
		d, err := datasets.Define(t.Name())
		if err != nil {
			continue
		}
		for _, name := range d.ByLength {
			known := slices.ContainsFunc(list, func(l results.Ladder) bool { return l.Name == name })
			if !known && slices.Contains(d.Groups[name], t.Name()) {
				list = append(list, results.Ladder{Name: name, Tasks: d.Groups[name], Enough: d.Enough})
			}
		}
	}
	return list
}
