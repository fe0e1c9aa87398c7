package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/snapbench/snapbench/datasets"
	"github.com/snapbench/snapbench/metrics"
)

func newEval() *cobra.Command {
	var a asking
	var metric string
	cmd := &cobra.Command{
		Use:   "eval TASK[,TASK…]",
		Short: "Any tasks under every variant",
		Long: `eval asks registered tasks, or groups of them, under every variant. Each task has
options of its own among the flags below; one that none of the tasks asked for has is
a mistake. needle, longbench, prompts and questions are the same with fewer flags.

Groups: ` + strings.Join(datasets.GroupNames(), ", ") + `.
Tasks: ` + strings.Join(datasets.Names(), ", ") + `.`,
		Example: `  snapbench eval niah,multikey --lengths 1k,2k --budgets full,256 --policies snapkv,tova
  snapbench eval longbench --model org/name --budgets full,1024 --out runs/lb
  snapbench eval qasper,niah --model org/name --data DIR --lengths 4k
  snapbench eval ruler-synthetic --model org/name --lengths 4k,16k --budgets full,50%,25% --out runs/ruler
  snapbench eval niah,qasper --server http://localhost:8000/v1 --data DIR --lengths 4k --out runs/served`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			names, err := datasets.Expand(strings.Split(strings.Join(args, ","), ","))
			if err != nil {
				return usage(err)
			}
			if metric != "" {
				scorer, err := metrics.Open(metric)
				if err != nil {
					return usage(err)
				}
				metric = scorer.Name
			}
			a.arguments = args
			return a.ask(cmd, "eval", names, metric)
		},
	}
	var families []string
	for _, d := range datasets.Definitions() {
		families = append(families, d.Family)
	}
	a.register(cmd, families...)
	cmd.Flags().StringVar(&metric, "metric", "", "in place of the tasks' own: one of snapbench metrics list, regex:PATTERN, or command:PROGRAM")
	return cmd
}
