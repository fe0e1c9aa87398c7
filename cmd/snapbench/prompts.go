package main

import (
	"github.com/spf13/cobra"

	"github.com/snapbench/snapbench/metrics"
)

func newPrompts() *cobra.Command {
	var a asking
	var metric string
	cmd := &cobra.Command{
		Use:   "prompts FILE.jsonl",
		Short: "Your own prompts and answers under every variant",
		Long: `prompts reads a file with one JSON object a line: "prompt", sent as it is, or
"messages", put through the model's chat template; "answers", a list; and
optionally "id", "metric", "classes" and "max_new".`,
		Example: `  snapbench prompts mine.jsonl --model M --metric recalled --budgets full,128,1024 --kernels 5,13 --out runs/mine
  snapbench prompts mine.jsonl --model M --device cuda:0,cuda:1 --out runs/cards
  snapbench prompts mine.jsonl --serve 'llama-server -m M.gguf --port {port} -ctk {kv} -ctv {kv} -fa on' --set kv=f16,q8_0 --out runs/kv`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := metrics.Open(metric); err != nil {
				return usage(err)
			}
			a.options["file"].one, a.arguments = args[0], args
			return a.ask(cmd, "prompts", []string{"prompts"}, metric)
		},
	}
	a.register(cmd, "prompts")
	cmd.Flags().MarkHidden("file")
	cmd.Flags().StringVar(&metric, "metric", "exact", "metric for lines that name none")
	return cmd
}
