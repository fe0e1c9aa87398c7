package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/configs"
	"github.com/snapbench/snapbench/datasets"
	"github.com/snapbench/snapbench/metrics"
	"github.com/snapbench/snapbench/runners/local"
	"github.com/snapbench/snapbench/runners/models"
)

// completeValues lets shells complete what commands and flags choose from.
func completeValues(root *cobra.Command) {
	values := map[string][]string{
		"task":   datasets.NeedleNames(),
		"tasks":  append([]string{"all", "zh", "e"}, datasets.LongBenchSets()...),
		"metric": append(metrics.Names(), "regex:", "command:"),
		"device": append([]string{"auto"}, local.DeviceNames()...),
		"dtype":  {"auto", "float32", "float16", "bfloat16"},
		"model":  modelNames(),
	}
	for _, d := range compress.Definitions() {
		for _, p := range d.Parameters {
			if p.Flag != "" && len(p.Allowed) > 0 {
				values[p.Flag] = p.Allowed
			}
		}
	}
	arguments := map[string][]string{"run": configs.Names(), "eval": datasets.Names()}
	var visit func(cmd *cobra.Command)
	visit = func(cmd *cobra.Command) {
		for name, list := range values {
			if cmd.Flags().Lookup(name) != nil {
				// Only a flag that completes something already is an error, and stays as it is.
				_ = cmd.RegisterFlagCompletionFunc(name, completeList(list))
			}
		}
		if list, ok := arguments[cmd.Name()]; ok && cmd.Parent() == root {
			cmd.ValidArgsFunction = completeArgument(list)
		}
		if cmd.Name() == "show" && cmd.Parent().Name() == "metrics" {
			cmd.ValidArgsFunction = completeArgument(append(metrics.Names(), "regex", "command"))
		}
		for _, c := range cmd.Commands() {
			visit(c)
		}
	}
	visit(root)
}

// modelNames are the models that a name alone finds.
func modelNames() []string {
	names := []string{local.DefaultModel}
	for _, shape := range models.Shapes() {
		names = append(names, "shape:"+shape)
	}
	kept, err := local.KeptModels()
	if err != nil {
		return names // a shell that completes has nobody to tell
	}
	for _, k := range kept {
		names = append(names, k.Model)
	}
	return names
}

// completeList completes the last entry of a list.
func completeList(names []string) cobra.CompletionFunc {
	return func(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		before := typed[:strings.LastIndexByte(typed, ',')+1]
		var list []string
		for _, name := range names {
			list = append(list, before+name)
		}
		return list, cobra.ShellCompDirectiveDefault
	}
}

// completeArgument completes a command's first argument, or the last entry of a list there.
func completeArgument(names []string) cobra.CompletionFunc {
	complete := completeList(names)
	return func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveDefault
		}
		return complete(cmd, args, typed)
	}
}
