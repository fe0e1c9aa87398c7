package datasets

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/snapbench/snapbench/metrics"
)

// Asked says in a user's words which tasks are wanted, with which options.
type Asked struct {
	Names  []string
	Values map[string][]string // of the tasks' own options, by name
	// MaxNew, Limit and Metric are those of [Options], for all tasks.
	MaxNew, Limit int
	Metric        string
	// Find finds the rows that the user brings for a family where the option data does not say where they are.
	Find func(Definition) (string, error)
}

// Open opens the tasks, and returns the options of each beside them. A mistake in what was
// asked, such as an option that none of the tasks has, is an *OptionError.
func (a Asked) Open() (tasks []Task, options []Options, err error) {
	used := map[string]bool{}
	for _, name := range a.Names {
		o, err := a.options(name, used)
		if err != nil {
			return nil, nil, err
		}
		task, err := Open(name, o)
		if err != nil {
			return nil, nil, err
		}
		if err := ready(task); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", name, err)
		}
		tasks, options = append(tasks, task), append(options, o)
	}
	for _, option := range slices.Sorted(maps.Keys(a.Values)) {
		if len(a.Values[option]) > 0 && !used[option] {
			return nil, nil, &OptionError{fmt.Errorf("--%s: none of the tasks %s has this option", option, strings.Join(a.Names, ", "))}
		}
	}
	return tasks, options, nil
}

// options are those of a task; used notes which of the values it takes.
func (a Asked) options(name string, used map[string]bool) (Options, error) {
	o := Options{MaxNew: a.MaxNew, Limit: a.Limit, Metric: a.Metric}
	d, err := Define(name)
	if err != nil {
		return o, &OptionError{err}
	}
	if d.Own == nil {
		return o, nil
	}
	o.Own = d.Own()
	for _, option := range OptionsOf(o.Own) {
		values := a.Values[option.Name]
		if len(values) == 0 {
			if option.Name == "data" && d.Copy() != nil && a.Find != nil && !a.dry() {
				path, err := a.Find(d)
				if err == nil {
					err = option.Set([]string{path})
				}
				if err != nil {
					return o, err
				}
			}
			continue
		}
		used[option.Name] = true
		if err := option.Set(values); err != nil {
			return o, &OptionError{err}
		}
	}
	return o, nil
}

// dry says whether the rows that a user brings are not wanted: text is made up in their place.
func (a Asked) dry() bool { return slices.Contains(a.Values["dry-text"], "true") }

// ready is an error where a task's metric lacks something, such as a dictionary. It is
// asked before anything runs.
func ready(t Task) error {
	one, ok := t.(interface{ Metric() string })
	if !ok || one.Metric() == metrics.None {
		return nil
	}
	scorer, err := metrics.Open(one.Metric())
	if err != nil || scorer.Ready == nil {
		return err
	}
	return scorer.Ready()
}
