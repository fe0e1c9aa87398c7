package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/metrics"
	"github.com/snapbench/snapbench/metrics/predictions"
	"github.com/snapbench/snapbench/runners/console/commands"
	"github.com/snapbench/snapbench/runners/scores"
)

func newScore() *cobra.Command {
	var f struct {
		task, buckets, codeSim, out, model, variant, protocol, jieba string
		json                                                         bool
	}
	cmd := &cobra.Command{
		Use:   "score DIR",
		Short: "Grade prediction files of any harness as their benchmark does",
		Long: `score reads SET.jsonl (or SET.jsonl.gz) files with "pred", "answers",
"all_classes" and "length", one object a line, and grades them as LongBench's own
program does. With --out the rows become results that gate, plot and report read.

--task names another benchmark, whose own programs wrote the files of the folder:

` + predictions.FormatHelp(),
		Example: `  snapbench score predictions/mistral-full
  snapbench score predictions/babilong/Mistral-7B-Instruct-v0.2 --task babilong
  snapbench score predictions/llama --buckets 4k,8k --code-sim difflib
  snapbench score predictions/mistral-512 --model mistral-7b --variant 'snapkv(cap=512,w=32,k=7)' --out runs/512`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o := predictions.Options{CodeSim: f.codeSim}
			if _, _, err := metrics.LongBench[0].Scorers(f.codeSim); err != nil {
				return usage(err)
			}
			if cmd.Flags().Changed("buckets") {
				edges, err := predictions.ParseEdges(f.buckets)
				if err != nil {
					return usage(err)
				}
				o.Buckets = edges
			}
			variant, err := compress.Parse(f.variant)
			if err != nil {
				return usage(err)
			}
			if f.jieba != "" {
				metrics.UseJieba(f.jieba)
			}
			model := f.model
			if model == "" {
				model = filepath.Base(filepath.Clean(args[0]))
			}
			from := scores.Source{Dir: args[0], Model: model, Protocol: f.protocol, Variant: variant, CodeSim: f.codeSim}
			if f.task != predictions.LongBenchTask {
				if cmd.Flags().Changed("buckets") || f.codeSim != "" || f.jieba != "" {
					return usage(fmt.Errorf("--buckets, --code-sim and --jieba are LongBench's, not %s's", f.task))
				}
				format, err := predictions.OpenFormat(f.task)
				if err != nil {
					return usage(err)
				}
				return from.Grade(cmd.OutOrStdout(), format, f.out, commands.Line("snapbench"), commands.Version(), f.json)
			}
			sets, graded, err := predictions.ScoreDir(args[0], o)
			if err != nil {
				return err
			}
			if f.out != "" {
				if err := from.Save(f.out, commands.Line("snapbench"), commands.Version(), sets, graded); err != nil {
					return err
				}
			}
			if f.json {
				return scores.JSON(cmd.OutOrStdout(), sets, graded)
			}
			return scores.Print(cmd.OutOrStdout(), sets, graded, o.Buckets)
		},
	}
	s := cmd.Flags()
	s.StringVar(&f.task, "task", predictions.LongBenchTask, "the benchmark")
	s.StringVar(&f.buckets, "buckets", "", "also score by the length field, as LongBench-E does: the buckets' edges, 4k,8k or 4k,8k,16k,32k (k is 1000)")
	s.StringVar(&f.codeSim, "code-sim", "", "similarity of the two code sets: levenshtein (default), difflib")
	s.StringVar(&f.out, "out", "", "folder for rows that gate, plot and report read")
	s.StringVar(&f.model, "model", "", "with --out: the model that predicted (default the folder's name)")
	s.StringVar(&f.variant, "variant", "full", "with --out: the cache it predicted with")
	s.StringVar(&f.protocol, "protocol", "", "with --out: the prompts' protocol")
	s.StringVar(&f.jieba, "jieba", "", "for the Chinese sets: folder, wheel or archive of jieba 0.42.1 (default SNAPBENCH_JIEBA)")
	s.BoolVar(&f.json, "json", false, "print JSON")
	return cmd
}
