package main

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/metrics"
	"github.com/snapbench/snapbench/metrics/predictions"
	"github.com/snapbench/snapbench/plots"
	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/runners/scores"
)

func newScore() *cobra.Command {
	var f struct {
		buckets, codeSim, out, model, variant, protocol, jieba string
		json                                                   bool
	}
	cmd := &cobra.Command{
		Use:   "score DIR",
		Short: "Grade prediction files of any harness as LongBench does",
		Long: `score reads SET.jsonl (or SET.jsonl.gz) files with "pred", "answers",
"all_classes" and "length", one object a line, and grades them as LongBench's own
program does. With --out the rows become results that gate, plot and report read.`,
		Example: `  snapbench score predictions/mistral-full
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
			sets, err := predictions.ReadDir(args[0])
			if err != nil {
				return err
			}
			var graded []predictions.Result
			for _, s := range sets {
				r, err := s.Score(o)
				if err != nil {
					return err
				}
				graded = append(graded, r)
			}
			if f.out != "" {
				model := f.model
				if model == "" {
					model = filepath.Base(filepath.Clean(args[0]))
				}
				from := scores.Source{Dir: args[0], Model: model, Protocol: f.protocol, Variant: variant, CodeSim: f.codeSim}
				if err := from.Save(f.out, commandLine(), version(), sets, graded); err != nil {
					return err
				}
				set, err := results.Read(f.out)
				if err != nil {
					return err
				}
				if _, err := plots.WriteRun(f.out, set); err != nil {
					return err
				}
			}
			return printScores(cmd.OutOrStdout(), sets, graded, o, f.json)
		},
	}
	s := cmd.Flags()
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

// printScores prints a line for each set, then the averages of the categories and of the
// English and code sets, each with its 95 % interval over rows.
func printScores(w io.Writer, sets []predictions.Set, graded []predictions.Result, o predictions.Options, asJSON bool) error {
	averages := scores.Averages(sets, graded)
	if asJSON {
		type set struct {
			Name          string               `json:"name"`
			Metric        string               `json:"metric"`
			MetricVersion int                  `json:"metric_version"`
			Rows          int                  `json:"rows"`
			Score         float64              `json:"score"`
			Interval      *[2]float64          `json:"interval"`
			Buckets       []predictions.Bucket `json:"buckets,omitempty"`
		}
		var out struct {
			Sets     []set            `json:"sets"`
			Averages []scores.Average `json:"averages"`
		}
		for _, r := range graded {
			out.Sets = append(out.Sets, set{r.Name, r.Metric, r.MetricVersion, len(r.Scores), r.Score, scores.Interval(r), r.Buckets})
		}
		out.Averages = averages
		return json.NewEncoder(w).Encode(out)
	}
	line := func(name, metric string, rows int, score float64, interval *[2]float64) {
		between := ""
		if interval != nil {
			between = fmt.Sprintf("[%.1f, %.1f]", interval[0], interval[1])
		}
		fmt.Fprintf(w, "%-24s %-18s %6d %8.2f %14s", name, metric, rows, score, between)
	}
	fmt.Fprintf(w, "%-24s %-18s %6s %8s %14s", "set", "metric", "rows", "score", "95 % interval")
	if o.Buckets != nil {
		for _, label := range o.Buckets.Labels() {
			fmt.Fprintf(w, " %8s", label)
		}
	}
	fmt.Fprintln(w)
	for _, r := range graded {
		line(r.Name, r.Metric, len(r.Scores), r.Score, scores.Interval(r))
		printBuckets(w, r.Buckets)
		fmt.Fprintln(w)
	}
	for _, a := range averages {
		line(a.Name, "mean of sets", a.Sets, a.Score, a.Interval)
		fmt.Fprintln(w)
	}
	return nil
}

// printBuckets prints the scores by length; a bucket without rows has none.
func printBuckets(w io.Writer, buckets []predictions.Bucket) {
	for _, b := range buckets {
		if b.Rows == 0 {
			fmt.Fprintf(w, " %8s", "–")
		} else {
			fmt.Fprintf(w, " %8.2f", b.Score)
		}
	}
}
