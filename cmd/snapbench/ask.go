package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/snapbench/snapbench/datasets"
	"github.com/snapbench/snapbench/metrics"
)

// asking is what every command that asks a model has: tasks with their own options,
// variants, a model, and how to run it.
type asking struct {
	variants variantFlags
	model    modelFlags
	server   serverFlags
	run      runFlags
	jieba    string
	options  map[string]*ownFlag // the tasks' own, by flag
	families []string            // whose options there are
}

// register adds the flags, the options of some families of tasks among them.
func (a *asking) register(cmd *cobra.Command, families ...string) {
	a.model.register(cmd)
	a.variants.register(cmd)
	a.server.register(cmd)
	a.run.register(cmd)
	a.options, a.families = map[string]*ownFlag{}, families
	for _, d := range datasets.Definitions() {
		if !slices.Contains(families, d.Family) || d.Own == nil {
			continue
		}
		for _, o := range datasets.OptionsOf(d.Own()) {
			if a.options[o.Name] == nil && cmd.Flags().Lookup(o.Name) == nil {
				help := o.Help
				if v := o.Default(); v != "" && !strings.Contains(help, "default") {
					help += fmt.Sprintf(" (default %s)", v)
				}
				f := &ownFlag{}
				if a.options[o.Name] = f; o.List {
					cmd.Flags().StringSliceVar(&f.list, o.Name, nil, help)
				} else {
					cmd.Flags().StringVar(&f.one, o.Name, "", help)
				}
			}
		}
	}
	if slices.Contains(families, "longbench") {
		cmd.Flags().StringVar(&a.jieba, "jieba", "", "for the Chinese sets: folder, wheel or archive of jieba 0.42.1 (default SNAPBENCH_JIEBA)")
	}
}

// ownFlag is what a user gave for an option of a task: one text, or a list.
type ownFlag struct {
	one  string
	list []string
}

// values returns what was given, nothing where nothing was.
func (f *ownFlag) values() []string {
	switch {
	case f == nil:
		return nil
	case f.one != "":
		return []string{f.one}
	}
	return trimmed(f.list)
}

// open opens tasks with the options given. An option that none of them has is a
// mistake.
func (a *asking) open(cmd *cobra.Command, names []string, metric string) (tasks []datasets.Task, options []datasets.Options, err error) {
	if err := noEmptyLists(cmd); err != nil {
		return nil, nil, usage(err)
	}
	if a.jieba != "" {
		metrics.UseJieba(a.jieba)
	}
	used := map[string]bool{}
	for _, name := range names {
		d, err := datasets.Define(name)
		if err != nil {
			return nil, nil, usage(err)
		}
		o := datasets.Options{MaxNew: a.run.maxNew, Limit: a.run.limit, Metric: metric}
		if d.Own != nil {
			o.Own = d.Own()
			for _, option := range datasets.OptionsOf(o.Own) {
				values := a.options[option.Name].values()
				if len(values) == 0 {
					continue
				}
				used[option.Name] = true
				if err := option.Set(values); err != nil {
					return nil, nil, usage(err)
				}
			}
			if b, ok := o.Own.(*datasets.LongBenchOptions); ok && b.Data == "" {
				if b.Data, err = cachedLongBench(); err != nil {
					return nil, nil, err
				}
			}
		}
		task, err := datasets.Open(name, o)
		var mistake *datasets.OptionError
		if errors.As(err, &mistake) {
			err = usage(err)
		}
		if err != nil {
			return nil, nil, err
		}
		if err := ready(task); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", name, err)
		}
		tasks, options = append(tasks, task), append(options, o)
	}
	for option, given := range a.options {
		if len(given.values()) > 0 && !used[option] {
			return nil, nil, usage(fmt.Errorf("--%s: none of the tasks %s has this option", option, strings.Join(names, ", ")))
		}
	}
	return tasks, options, nil
}

// ready says what a task's metric lacks, such as a dictionary, before anything runs.
func ready(t datasets.Task) error {
	one, ok := t.(interface{ Metric() string })
	if !ok {
		return nil
	}
	scorer, err := metrics.Open(one.Metric())
	if err != nil || scorer.Ready == nil {
		return err
	}
	return scorer.Ready()
}
