package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/snapbench/snapbench/datasets"
	"github.com/snapbench/snapbench/metrics"
	"github.com/snapbench/snapbench/runners/local"
)

// asking holds the flags of a command that puts tasks to a model: the variants, the model,
// how to run it, and the tasks' own options.
type asking struct {
	variants variantFlags
	model    modelFlags
	server   serverFlags
	cluster  clusterFlags
	run      runFlags
	jieba    string
	options  map[string]*ownFlag // of the tasks, by flag
	families []string            // of tasks whose options are flags
	// arguments of the command that are no flags.
	arguments []string
}

// register adds the flags, with those for the options of these families of tasks.
func (a *asking) register(cmd *cobra.Command, families ...string) {
	a.model.register(cmd)
	a.variants.register(cmd)
	a.server.register(cmd)
	a.run.register(cmd)
	a.cluster.register(cmd)
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

// ownFlag is the value of a flag for a task's option: one text, or a list.
type ownFlag struct {
	one  string
	list []string
}

// values returns the values given; there are none where the flag was not.
func (f *ownFlag) values() []string {
	switch {
	case f == nil:
		return nil
	case f.one != "":
		return []string{f.one}
	}
	return trimmed(f.list)
}

// open opens tasks with the options given. An option that none of the tasks has is a usage
// error.
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
				if b.Data, err = local.CachedLongBench(); err != nil {
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

// ready is an error where a task's metric lacks something, such as a dictionary. It is
// asked before anything runs.
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
