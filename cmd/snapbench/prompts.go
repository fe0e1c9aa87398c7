package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/snapbench/snapbench/metrics"
)

func newPrompts() *cobra.Command {
	var a asking
	var metric string
	cmd := &cobra.Command{
		Use:   "prompts FILE.jsonl|-",
		Short: "Your own prompts and answers under every variant",
		Long: `prompts reads a file, or standard input (-), with one JSON object a line: "prompt",
sent as it is, or "messages", put through the model's chat template; and
optionally "answers", a list, "id", "metric", "classes" and "max_new"; "evidence",
a list of texts in it that the answer rests on, is for --evidence.

A line without answers has no score: with --fidelity it still shows how far each
variant's next tokens are from the full cache's. The same prompts continue the
same run, from whatever file they come.`,
		Example: `  snapbench prompts mine.jsonl --metric recalled --budgets full,128,1024 --kernels 5,13 --out runs/mine
  snapbench prompts mine.jsonl --metric 'regex:#### (?P<value>[-0-9.,]+)' --budgets full,128
  snapbench prompts mine.jsonl --metric command:./grade --budgets full,128
  jq -c '{prompt: .text}' log.jsonl | snapbench prompts - --fidelity --budgets full,25%
  snapbench prompts mine.jsonl --model org/name --device cuda:0,cuda:1 --out runs/cards
  snapbench prompts mine.jsonl --serve 'llama-server -m SmolLM2-135M-Instruct.Q4_1.gguf --port {port} -ctk {kv} -ctv {kv} -fa on' --set kv=f16,q8_0 --out runs/kv`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			scorer, err := metrics.Open(metric)
			if err != nil {
				return usage(err)
			}
			if args[0] == "-" && a.cluster.On != "" {
				return usage(errors.New("prompts -: standard input is not where the parts of a run run: name a file"))
			}
			metric = scorer.Name
			a.options["file"].one, a.arguments = args[0], args
			return a.ask(cmd, "prompts", []string{"prompts"}, metric)
		},
	}
	a.register(cmd, "prompts")
	cmd.Flags().MarkHidden("file")
	cmd.Flags().StringVar(&metric, "metric", "contains", "metric for lines that name none: one of snapbench metrics list, regex:PATTERN, or command:PROGRAM")
	return cmd
}
