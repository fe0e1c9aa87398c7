package main

import (
	"github.com/spf13/cobra"

	"github.com/snapbench/snapbench/datasets"
	"github.com/snapbench/snapbench/metrics"
)

func newPrompts() *cobra.Command {
	var v variantFlags
	var m modelFlags
	var r runFlags
	var metric string
	cmd := &cobra.Command{
		Use:   "prompts FILE.jsonl",
		Short: "Your own prompts and answers under every variant",
		Long: `prompts reads a file with one JSON object a line: "prompt", sent as it is, or
"messages", put through the model's chat template; "answers", a list; and
optionally "id", "metric", "classes" and "max_new".`,
		Example: `  snapbench prompts mine.jsonl --model M --metric recalled --budgets full,128,1024 --kernels 5,13 --out runs/mine
  snapbench prompts mine.jsonl --model M --device cuda:0,cuda:1 --out runs/cards`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			variants, err := v.list(cmd)
			if err != nil {
				return err
			}
			if _, err := metrics.Open(metric); err != nil {
				return usage(err)
			}
			options := datasets.Options{Data: args[0], Metric: metric, MaxNew: r.maxNew, Limit: r.limit}
			task, err := datasets.Open("prompts", options)
			if err != nil {
				return err
			}
			j := &job{command: "prompts", out: r.out, tasks: []datasets.Task{task}, options: options, variants: variants,
				run: r, model: m, pictures: scorePictures}
			return j.execute(cmd.Context(), cmd)
		},
	}
	m.register(cmd)
	v.register(cmd)
	r.register(cmd)
	cmd.Flags().StringVar(&metric, "metric", "exact", "metric for lines that name none")
	return cmd
}
