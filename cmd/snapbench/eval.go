package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/snapbench/snapbench/datasets"
)

func newEval() *cobra.Command {
	var a asking
	cmd := &cobra.Command{
		Use:   "eval TASK[,TASK…]",
		Short: "Any tasks under every variant",
		Long: `eval asks registered tasks, or groups of them, under every variant. Each task has
options of its own among the flags below; one that none of the tasks asked for has is
a mistake. needle, longbench and prompts are the same with fewer flags.

Tasks: ` + strings.Join(datasets.Names(), ", ") + `.`,
		Example: `  snapbench eval niah,multikey --lengths 1k,2k --budgets full,256 --policies snapkv,tova
  snapbench eval longbench --model M --budgets full,1024 --out runs/lb
  snapbench eval qasper,niah --model M --data DIR --lengths 4k
  snapbench eval niah,qasper --server http://localhost:8000/v1 --data DIR --lengths 4k --out runs/served`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			names, err := datasets.Expand(strings.Split(strings.Join(args, ","), ","))
			if err != nil {
				return usage(err)
			}
			a.arguments = args
			return a.ask(cmd, "eval", names, "")
		},
	}
	var families []string
	for _, d := range datasets.Definitions() {
		families = append(families, d.Family)
	}
	a.register(cmd, families...)
	return cmd
}
