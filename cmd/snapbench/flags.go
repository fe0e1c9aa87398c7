package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

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
}

func (f *runFlags) register(cmd *cobra.Command) {
	s := cmd.Flags()
	s.StringVar(&f.out, "out", "", "folder for results; the same command continues in it (default runs/TASK-HASH of what is asked)")
	s.BoolVar(&f.json, "json", false, "print the summary as JSON")
	s.BoolVar(&f.quiet, "quiet", false, "no progress")
	s.IntVar(&f.maxNew, "max-new", 0, "most new tokens, below the task's own number")
	s.IntVar(&f.limit, "limit", 0, "only the first samples of each task")
	s.BoolVar(&f.retry, "retry", false, "when continuing, also run samples again whose rows have an error")
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
