package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/snapbench/snapbench/datasets"
	"github.com/snapbench/snapbench/runners/console/commands"
)

func newNeedle() *cobra.Command {
	var a asking
	var task string
	cmd := &cobra.Command{
		Use:   "needle",
		Short: "Find a hidden sentence: length × depth under every variant",
		Long: `needle hides a sentence at a depth of a text of exactly so many tokens, asks for
it at the end, and draws for every variant a map of length against depth, and one
of budget against the parameters that vary.

The score is 1 where the exact value is found. Beside it stand recalled, the
share of the value's characters that are right before the first wrong one, and
ROUGE-1, in which published maps are given.

Without flags it is "snapbench run quickstart": the embedded model, on any
computer, in about a minute. A flag changes what it names, and nothing else:
  --model     the same grid of another model, without lengths beyond its context
  --policies, --variants
              have parameters of their own; kernels and windows are asked beside
              them only where given
  --max-len   takes the place of the lengths
  --server, --serve
              no caches of ours: what is left is the grid of prompts`,
		Example: `  snapbench needle
  snapbench needle --model SmolLM2-135M-Instruct.Q4_1.gguf --max-len 4k --depths 5 --trials 2 \
      --budgets full,128,256,512,1024 --kernels 5,7,13 --pooling max,avg --out runs/first
  snapbench needle --lengths 1k,4k,8k --depths 0,50,100 --policies 'snapkv(w=16,k=5),tova' --budgets full,512
  snapbench needle --lengths 1k --budgets full,64,128 --evidence --out runs/why
  snapbench needle --model org/name --device cuda:0,cuda:1 --max-len 32k --out runs/cards
  snapbench needle --server http://localhost:8000/v1 --label bf16 --lengths 4k,32k --out runs/bf16
  snapbench needle --serve 'vllm serve org/name --port {port} --kv-cache-dtype {kv}' --set kv=auto,fp8 \
      --tokenizer-from org/name --lengths 4k,16k --out runs/kv`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := datasets.CheckNeedle(task); err != nil {
				return usage(err)
			}
			a.settle(cmd)
			return a.ask(cmd, "needle", []string{task}, "")
		},
	}
	a.register(cmd, "needle")
	cmd.Flags().StringVar(&task, "task", "niah", "task: "+strings.Join(datasets.NeedleNames(), ", "))
	commands.Default(cmd, "quickstart")
	return cmd
}
