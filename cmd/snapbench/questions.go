package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/snapbench/snapbench/datasets"
	"github.com/snapbench/snapbench/metrics"
)

func newQuestions() *cobra.Command {
	var a asking
	var metric string
	about := ""
	for _, c := range datasets.Conventions() {
		about += "\n  " + c.Name + strings.Repeat(" ", 10-len(c.Name)) + c.About
	}
	cmd := &cobra.Command{
		Use:   "questions FILE.jsonl|-",
		Short: "Several questions on each of your own contexts, from one compressed cache",
		Long: `questions reads a file, or standard input (-), with one JSON object a line: "context",
"questions", a list of {"question", "answers"}, and optionally "id" and "messages"
or "prompt", which say where {context} and {question} stand. docs/questions.md has
an example and all fields.

Each question is asked by the first two conventions, or those that --convention names,
and the difference between these two is shown for every variant with its paired interval:
` + about,
		Example: `  snapbench questions mine.jsonl --model SmolLM2-135M-Instruct.Q4_1.gguf --budgets full,256,512 --kernels 21 --out runs/q
  snapbench questions mine.jsonl --convention context --policies snapkv,knorm,keydiff --budgets full,25%
  snapbench questions mine.jsonl --convention inside,dialogue --budgets full,256,512 --kernels 21
  snapbench gate runs/q --against full --max-drop 5`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			scorer, err := metrics.Open(metric)
			if err != nil {
				return usage(err)
			}
			if args[0] == "-" && a.cluster.On != "" {
				return usage(errors.New("questions -: standard input is not where the parts of a run run: name a file"))
			}
			a.options["file"].one, a.arguments = args[0], args
			return a.ask(cmd, "questions", []string{"questions"}, scorer.Name)
		},
	}
	a.register(cmd, "questions")
	cmd.Flags().MarkHidden("file")
	cmd.Flags().StringVar(&metric, "metric", "contains", "metric for questions that name none: one of snapbench metrics list, regex:PATTERN, or command:PROGRAM")
	return cmd
}
