package main

import (
	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/configs"
	"github.com/snapbench/snapbench/datasets"
	"github.com/snapbench/snapbench/metrics"
	"github.com/snapbench/snapbench/plots"
	"github.com/snapbench/snapbench/results/gate"
	"github.com/snapbench/snapbench/runners/cluster"
	"github.com/snapbench/snapbench/runners/console/commands"
	"github.com/snapbench/snapbench/runners/local"
)

// completions are what shells complete of what commands and flags choose from.
func completions() commands.Completions {
	flags := map[string][]string{
		"task": datasets.NeedleNames(), "tasks": append([]string{"all", "zh", "e"}, datasets.LongBenchSets()...),
		"metric": append(metrics.Names(), "regex:", "command:"), "model": local.ModelNames(), "cache": compress.CacheFormats(),
		"device": append([]string{"auto"}, local.DeviceNames()...), "dtype": {"auto", "float32", "float16", "bfloat16"},
		"on": cluster.Names(), "about": {"set", "population"}, "across": gate.AcrossNames(), "palette": plots.Palettes(),
	}
	for _, d := range compress.Definitions() {
		for _, p := range d.Parameters {
			if p.Flag != "" && len(p.Allowed) > 0 {
				flags[p.Flag] = p.Allowed
			}
		}
	}
	arguments := map[string][]string{"run": configs.Names(), "eval": datasets.Names(), "metrics show": append(metrics.Names(), "regex", "command")}
	return commands.Completions{Flags: flags, Arguments: arguments}
}
