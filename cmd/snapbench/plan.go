package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/snapbench/snapbench/datasets"
	"github.com/snapbench/snapbench/runners/console/commands"
	"github.com/snapbench/snapbench/runners/forecast"
	"github.com/snapbench/snapbench/runners/local"
)

func newPlan() *cobra.Command {
	var a asking
	p := forecast.Question{}
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "plan longbench|needle|TASK[,TASK…]",
		Short: "Time, memory and cost of a run, before a card is rented",
		Long: `plan says what longbench, needle or eval would take on a card: time, memory by variant, and
cost. It needs no card, no data and no weights, only a model's config.json or a shape.

It goes by a few measured rates: those recorded of ` + strings.Join(forecast.Cards(), ", ") + `, or by --rates those that
snapbench speed --json measured on a card. The model's own operations and bytes say the
rest. Answers are taken to have all their tokens, and prompts of LongBench the published lengths.`,
		Example: `  snapbench plan longbench --model shape:llama-3-8b --device h200 --budgets full,1024,2048 --price 3.50
  snapbench plan needle --model org/name --device h100 --lengths 32k,64k --budgets full,1024
  snapbench speed --model shape:llama-3-8b --lengths 1k,8k,32k --batch 1,16,64 --budgets 1024 --prefill 2 --json > rates.json
  snapbench plan longbench --model org/name --rates rates.json --json`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			names, err := p.Tasks(args)
			if err != nil {
				return usage(err)
			}
			if dry := a.options["dry-text"]; datasets.AnyOf("longbench", names) {
				dry.on = true
			}
			variants, err := a.variants.list(cmd)
			if err != nil {
				return err
			}
			tasks, _, err := a.open(cmd, names, "")
			if err != nil {
				return err
			}
			f, err := p.Answer(cmd.Context(), tasks, variants, local.SayTo(cmd.ErrOrStderr()))
			if err != nil {
				return err
			}
			return commands.Tell(cmd, asJSON, f)
		},
	}
	a.variants.register(cmd)
	s := cmd.Flags()
	p.Register(s)
	s.IntVar(&a.run.maxNew, "max-new", 0, "most new tokens of an answer (default the task's own number)")
	s.IntVar(&a.run.limit, "limit", 0, "prompts of each task (default all)")
	s.BoolVar(&asJSON, "json", false, "print JSON")
	a.registerTasks(cmd, "longbench", "needle", "ruler")
	return cmd
}
