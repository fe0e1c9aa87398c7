package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/snapbench/snapbench/datasets"
)

func newNeedle() *cobra.Command {
	var v variantFlags
	var m modelFlags
	var r runFlags
	var n struct {
		task, wording, maxLen, haystack, value string
		lengths, depths                        []string
		needles, trials, valueLength           int
		seed                                   uint64
	}
	cmd := &cobra.Command{
		Use:   "needle",
		Short: "Find a hidden sentence: length × depth under every variant",
		Long: `needle hides a sentence at a depth of a text of exactly so many tokens, asks for
it at the end, and draws for every variant a map of length against depth, and one
of budget against kernel and pooling.

The score is 1 where the exact value is found. Beside it stand recalled, the
share of the value's characters that are right before the first wrong one, and
ROUGE-1, in which published maps are given.

Without flags it is "snapbench run quickstart": the embedded model, on any
computer, in about a minute.`,
		Example: `  snapbench needle
  snapbench needle --model SmolLM2-135M-Instruct.Q4_1.gguf --max-len 4k --depths 5 --trials 2 \
      --budgets full,128,256,512,1024 --kernels 5,7,13 --pooling max,avg --out runs/first
  snapbench needle --lengths 1k,4k,8k --depths 0,50,100 --variants 'full;snapkv(cap=512,w=16,k=5)'
  snapbench needle --model org/name --device cuda:0,cuda:1 --max-len 32k --out runs/cards`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := quickstart(cmd); err != nil {
				return err
			}
			variants, err := v.list(cmd)
			if err != nil {
				return err
			}
			if err := needleTask(n.task); err != nil {
				return usage(err)
			}
			if n.trials < 1 {
				return usage(fmt.Errorf("--trials %d: want 1 or more", n.trials))
			}
			o := datasets.NeedleOptions{
				Trials: n.trials, Seed: n.seed, Needles: n.needles, Wording: n.wording, Haystack: n.haystack,
				Value: n.value, ValueLength: n.valueLength,
			}
			if cmd.Flags().Changed("max-len") && cmd.Flags().Changed("lengths") {
				return usage(fmt.Errorf("--max-len and --lengths exclude each other"))
			}
			if len(n.lengths) > 0 {
				if o.Lengths, err = tokenList(n.lengths); err != nil {
					return usage(err)
				}
			} else {
				longest, err := tokens(n.maxLen)
				if err != nil {
					return usage(err)
				}
				o.Lengths = datasets.LengthSweep(longest)
			}
			if o.Depths, err = depthList(n.depths); err != nil {
				return usage(err)
			}
			options := datasets.Options{MaxNew: r.maxNew, Limit: r.limit, Needle: o}
			task, err := datasets.Open(n.task, options)
			if err != nil {
				return usage(err)
			}
			j := &job{command: "needle", out: r.out, tasks: []datasets.Task{task}, options: options, variants: variants,
				run: r, model: m, pictures: needlePictures}
			return j.execute(cmd.Context(), cmd)
		},
	}
	m.register(cmd)
	v.register(cmd)
	r.register(cmd)
	s := cmd.Flags()
	s.StringVar(&n.task, "task", "niah", "task: "+strings.Join(datasets.NeedleNames(), ", "))
	s.StringVar(&n.wording, "wording", "ruler", "wording: ruler, kamradt")
	s.StringVar(&n.maxLen, "max-len", "4k", "sweep 1k, 2k, 4k … and this length")
	s.StringSliceVar(&n.lengths, "lengths", nil, "these prompt lengths in tokens instead, template included")
	s.StringSliceVar(&n.depths, "depths", []string{"5"}, "how many depths from 0 to 100, or the depths in percent: 0,25,50,75,100, one alone with its sign: 50%")
	s.IntVar(&n.needles, "needles", 0, "sentences to hide (default by task)")
	s.IntVar(&n.trials, "trials", 1, "prompts per length and depth, each with its own text, key and value")
	s.Uint64Var(&n.seed, "seed", 42, "of keys, values and stretches of text")
	s.StringVar(&n.haystack, "haystack", "", "folder of *.txt files (default the embedded text)")
	s.StringVar(&n.value, "value", "", "kind of value: numbers, words, uuids")
	s.IntVar(&n.valueLength, "value-length", 0, "digits or words of a value")
	return cmd
}

// needleTask refuses a task that hides no needle, and says what runs one of
// LongBench's sets.
func needleTask(name string) error {
	if slices.Contains(datasets.NeedleNames(), name) {
		return nil
	}
	if slices.Contains(datasets.LongBenchSets(), name) {
		return fmt.Errorf("task %q is one of LongBench's sets: snapbench longbench --tasks %s runs it", name, name)
	}
	return fmt.Errorf("unknown task %q: have %s", name, strings.Join(datasets.NeedleNames(), ", "))
}

// depthList reads "5" as a grid of five, anything else ("50%" too) as percents.
func depthList(list []string) ([]float64, error) {
	if len(list) == 1 && !strings.HasSuffix(list[0], "%") {
		n, err := strconv.Atoi(list[0])
		if err != nil || n < 1 || n > 101 {
			return nil, fmt.Errorf("depths %q: want a number of depths, or the depths in percent: 0,50,100 or 50%%", strings.Join(list, ","))
		}
		return datasets.DepthGrid(n), nil
	}
	var out []float64
	for _, s := range list {
		d, err := strconv.ParseFloat(strings.TrimSuffix(s, "%"), 64)
		if err != nil || !(d >= 0 && d <= 100) {
			return nil, fmt.Errorf("depth %q: want percent, 0 to 100", s)
		}
		out = append(out, d)
	}
	return out, nil
}
