package main

import (
	"errors"
	"slices"

	"github.com/spf13/cobra"

	"github.com/snapbench/snapbench/datasets"
	"github.com/snapbench/snapbench/metrics"
	"github.com/snapbench/snapbench/runners/console/commands"
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
	a.registerTasks(cmd, families...)
}

// registerTasks adds the flags for the options of these families of tasks.
func (a *asking) registerTasks(cmd *cobra.Command, families ...string) {
	a.options, a.families = map[string]*ownFlag{}, families
	for _, d := range datasets.Definitions() {
		if !slices.Contains(families, d.Family) || d.Own == nil {
			continue
		}
		for _, o := range datasets.OptionsOf(d.Own()) {
			if a.options[o.Name] == nil && cmd.Flags().Lookup(o.Name) == nil {
				f := &ownFlag{}
				usage := datasets.UsageOf(o.Name, families...)
				switch a.options[o.Name] = f; {
				case o.List:
					cmd.Flags().StringSliceVar(&f.list, o.Name, nil, usage)
				case o.Kind == "flag":
					cmd.Flags().BoolVar(&f.on, o.Name, false, usage)
				default:
					cmd.Flags().StringVar(&f.one, o.Name, "", usage)
				}
			}
		}
	}
	if slices.Contains(families, "longbench") {
		cmd.Flags().StringVar(&a.jieba, "jieba", "", "for the Chinese sets: folder, wheel or archive of jieba 0.42.1 (default SNAPBENCH_JIEBA)")
	}
}

// ownFlag is the value of a flag for a task's option: one text, a list, or yes.
type ownFlag struct {
	on   bool
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
	case f.on:
		return []string{"true"}
	}
	return commands.Trimmed(f.list)
}

// open opens tasks with the options given.
func (a *asking) open(cmd *cobra.Command, names []string, metric string) ([]datasets.Task, []datasets.Options, error) {
	if err := commands.NoEmptyLists(cmd); err != nil {
		return nil, nil, usage(err)
	}
	if a.jieba != "" {
		metrics.UseJieba(a.jieba)
	}
	asked := datasets.Asked{Names: names, Values: map[string][]string{}, MaxNew: a.run.maxNew, Limit: a.run.limit, Metric: metric, Find: local.CachedData}
	for name, flag := range a.options {
		asked.Values[name] = flag.values()
	}
	tasks, options, err := asked.Open()
	var mistake *datasets.OptionError
	if errors.As(err, &mistake) {
		err = usage(err)
	}
	return tasks, options, err
}
