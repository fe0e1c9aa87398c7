package main

import (
	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/configs"
	"github.com/snapbench/snapbench/datasets"
	"github.com/snapbench/snapbench/metrics"
	"github.com/snapbench/snapbench/runners/console/commands"
	"github.com/snapbench/snapbench/runners/local"
)

// completions are what shells complete of what commands and flags choose from.
func completions() commands.Completions {
	flags := map[string][]string{
		"task":   datasets.NeedleNames(),
		"tasks":  append([]string{"all", "zh", "e"}, datasets.LongBenchSets()...),
		"metric": append(metrics.Names(), "regex:", "command:"),
		"device": append([]string{"auto"}, local.DeviceNames()...),
		"dtype":  {"auto", "float32", "float16", "bfloat16"},
		"model":  local.ModelNames(),
	}
	for _, d := range compress.Definitions() {
		for _, p := range d.Parameters {
			if p.Flag != "" && len(p.Allowed) > 0 {
				flags[p.Flag] = p.Allowed
			}
		}
	}
	return commands.Completions{Flags: flags, Arguments: map[string][]string{
		"run": configs.Names(), "eval": datasets.Names(), "metrics show": append(metrics.Names(), "regex", "command"),
	}}
}
