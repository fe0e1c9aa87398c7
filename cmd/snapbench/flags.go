package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/snapbench/snapbench/compress"
)

// variantFlags say which variants are compared.
type variantFlags struct {
	budgets, kernels, pooling, windows, gqa []string
	policy, variants                        string
}

func (f *variantFlags) register(cmd *cobra.Command) {
	s := cmd.Flags()
	s.StringSliceVar(&f.budgets, "budgets", []string{"full", "1024"}, "budgets: full, tokens per head (512, 1k), or shares of the prompt (25%)")
	s.StringSliceVar(&f.kernels, "kernels", []string{"7"}, "pooling kernels, odd")
	s.StringSliceVar(&f.pooling, "pooling", []string{"max"}, "poolings: max, avg")
	s.StringSliceVar(&f.windows, "windows", []string{"32"}, "observation windows in tokens")
	s.StringSliceVar(&f.gqa, "gqa", []string{"query_head"}, "groupings: "+strings.Join(compress.Sharings(), ", "))
	s.StringVar(&f.policy, "policy", "snapkv", "policy: "+strings.Join(compress.Names(), ", "))
	s.StringVar(&f.variants, "variants", "", "variants one by one instead: 'full;snapkv(cap=1024,w=32,k=7,pool=max,gqa=query_head)'")
}

// list returns the variants asked for: those named one by one, or the product.
func (f *variantFlags) list(cmd *cobra.Command) ([]compress.Variant, error) {
	if err := noEmptyLists(cmd); err != nil {
		return nil, usage(err)
	}
	if f.variants != "" {
		for _, name := range []string{"budgets", "kernels", "pooling", "windows", "gqa", "policy"} {
			if cmd.Flags().Changed(name) {
				return nil, usage(fmt.Errorf("--variants and --%s exclude each other", name))
			}
		}
		v, err := compress.ParseAll(f.variants)
		return v, usage(err)
	}
	if f.policy == "full" {
		for _, name := range []string{"budgets", "kernels", "pooling", "windows", "gqa"} {
			if cmd.Flags().Changed(name) {
				return nil, usage(fmt.Errorf("--policy full keeps everything: --%s has no place beside it", name))
			}
		}
		return []compress.Variant{compress.Full}, nil
	}
	for _, list := range [][]string{f.budgets, f.kernels, f.pooling, f.windows, f.gqa} {
		for i := range list {
			list[i] = strings.TrimSpace(list[i]) // 'full, 512'
		}
	}
	v, err := compress.Grid{Policy: f.policy, Budgets: f.budgets, Axes: []compress.Axis{
		{Name: "w", Values: f.windows}, {Name: "k", Values: f.kernels}, {Name: "pool", Values: f.pooling}, {Name: "gqa", Values: f.gqa},
	}}.Variants()
	return v, usage(err)
}

// noEmptyLists refuses a list that was given and has nothing in it: a default in
// its place, or nothing measured, is not what was asked for.
func noEmptyLists(cmd *cobra.Command) (err error) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if list, ok := f.Value.(pflag.SliceValue); ok && f.Changed && len(list.GetSlice()) == 0 {
			err = fmt.Errorf("--%s: an empty list: want one value or more", f.Name)
		}
	})
	return err
}

// modelFlags say which model runs where.
type modelFlags struct {
	model, device, dtype, tokenizer string
}

func (f *modelFlags) register(cmd *cobra.Command) {
	s := cmd.Flags()
	s.StringVar(&f.model, "model", defaultModel, "model: "+modelForms)
	s.StringVar(&f.device, "device", "auto", "device: auto, "+strings.Join(deviceNames(), ", ")+"; samples are spread over several: cuda:0,cuda:1")
	s.StringVar(&f.dtype, "dtype", "auto", "number format of weights and cache: auto, float32, float16, bfloat16")
	s.StringVar(&f.tokenizer, "tokenizer", "native", "tokenizer backend: native, sugarme")
}

// runFlags are common to everything that runs a model over samples.
type runFlags struct {
	out      string
	json     bool
	quiet    bool
	maxNew   int
	limit    int
	fidelity bool
	retry    bool
	date     string
}

func (f *runFlags) register(cmd *cobra.Command) {
	s := cmd.Flags()
	s.StringVar(&f.out, "out", "", "folder for results; the same command continues in it (default runs/TASK-HASH of what is asked)")
	s.BoolVar(&f.json, "json", false, "print the summary as JSON")
	s.BoolVar(&f.quiet, "quiet", false, "no progress")
	s.IntVar(&f.maxNew, "max-new", 0, "most new tokens, below the task's own number")
	s.IntVar(&f.limit, "limit", 0, "only the first samples of each task")
	s.BoolVar(&f.retry, "retry", false, "when continuing, also run samples again whose rows have an error")
	s.StringVar(&f.date, "date", "", "day that the model's chat template sees as today, where it asks for one, as 2026-01-02 (default: today, or the day on which the folder's run began)")
	s.BoolVar(&f.fidelity, "fidelity", false, "also compare next-token distributions with the full cache's, along its answer")
}

// tokens reads "4096", "4k" (4096), "1m".
func tokens(s string) (int, error) {
	factor, digits := 1, strings.ToLower(strings.TrimSpace(s))
	if d, ok := strings.CutSuffix(digits, "k"); ok {
		factor, digits = 1<<10, d
	} else if d, ok := strings.CutSuffix(digits, "m"); ok {
		factor, digits = 1<<20, d
	}
	n, err := strconv.Atoi(digits)
	if err != nil || n < 1 || n > 1<<30/factor {
		return 0, fmt.Errorf("length %q: want tokens, as 4096, 4k or 1m", s)
	}
	return n * factor, nil
}

func tokenList(list []string) ([]int, error) {
	var out []int
	for _, s := range list {
		n, err := tokens(s)
		if err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	return out, nil
}
