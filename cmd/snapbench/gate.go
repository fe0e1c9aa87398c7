package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/results/gate"
	"github.com/snapbench/snapbench/runners/console"
)

func newGate() *cobra.Command {
	var f struct {
		maxDrop, maxPeak, limits, against, markdown, junit string
		maxSlowdown, maxKLRise, confidence                 float64
		json                                               bool
	}
	cmd := &cobra.Command{
		Use:   "gate BASELINE CANDIDATE | gate RUN --against VARIANT",
		Short: "An exit status on an accuracy drop: 0 pass, 3 fail, 4 undecided",
		Long: `gate pairs the rows of two runs by sample, or the variants of one run with its
full cache or another of them, and tests for each task and on average whether the drop stays below a
limit: pass when it surely does, fail when it surely does not or a budget audit
failed, undecided otherwise, with the samples it would take, or where all scores
are 0 and no drop could show. Results that cannot
be compared (missing or failed samples, other prompts, models, metric versions)
are refused with the reason and status 1.`,
		Example: `  snapbench gate runs/main runs/candidate --max-drop 1.0
  snapbench gate runs/candidate --against full --max-drop 2%
  snapbench gate runs/kv --against baseline --max-drop 1     # servers, against the first of them
  snapbench gate runs/main runs/candidate --limits limits.yaml --junit gate.xml --markdown "$GITHUB_STEP_SUMMARY"`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			limits, err := gateLimits(cmd, f.limits, f.maxDrop, f.maxPeak, f.maxSlowdown, f.maxKLRise, f.confidence)
			if err != nil {
				return err
			}
			if (len(args) == 1) != (f.against != "") {
				return usage(fmt.Errorf("name two runs, or one and --against VARIANT"))
			}
			base, err := results.Read(args[0])
			if err != nil {
				return err
			}
			var verdict *gate.Result
			if len(args) == 2 {
				candidate, err := results.Read(args[1])
				if err != nil {
					return err
				}
				verdict, err = gate.Runs(base, candidate, limits)
				if err != nil {
					return err
				}
			} else if verdict, err = gate.Variants(base, f.against, limits); errors.Is(err, gate.ErrUnknownVariant) {
				return usage(err)
			} else if err != nil {
				return err
			}
			if f.junit != "" {
				if err := writeFile(f.junit, verdict.WriteJUnit, false); err != nil {
					return err
				}
			}
			if f.markdown != "" {
				// Appended: other steps of a CI job write to the same summary.
				err := writeFile(f.markdown, func(w io.Writer) error {
					_, err := io.WriteString(w, verdict.Markdown())
					return err
				}, true)
				if err != nil {
					return err
				}
			}
			if f.json {
				err = verdict.WriteJSON(cmd.OutOrStdout())
			} else {
				_, err = io.WriteString(console.Bare(cmd.OutOrStdout()), verdict.Text(console.Width(cmd.OutOrStdout())))
			}
			if err != nil {
				return err
			}
			if status := verdict.Verdict.ExitStatus(); status != exitPass {
				return &exitError{code: status}
			}
			return nil
		},
	}
	s := cmd.Flags()
	s.StringVar(&f.maxDrop, "max-drop", "", "largest drop allowed: points of 0–100 (1.0) or a share of the baseline (2%)")
	s.StringVar(&f.limits, "limits", "", "YAML file of limits, also per task; flags override it")
	s.StringVar(&f.against, "against", "", "compare the variants of one run with this one of it: full, any other, or baseline for the one that its tables are against")
	s.Float64Var(&f.maxSlowdown, "max-slowdown", 0, "largest multiple of the baseline's times")
	s.StringVar(&f.maxPeak, "max-peak", "", "largest peak memory: a multiple of the baseline's (1.1) or a size (12GiB)")
	s.Float64Var(&f.maxKLRise, "max-kl-rise", 0, "largest rise of the mean KL divergence from the full cache, nats (rows with --fidelity)")
	s.Float64Var(&f.confidence, "confidence", 0, "confidence (default 0.95)")
	s.StringVar(&f.markdown, "markdown", "", "append the verdict to this file as Markdown")
	s.StringVar(&f.junit, "junit", "", "write the verdict to this file as JUnit XML")
	s.BoolVar(&f.json, "json", false, "print JSON")
	return cmd
}

// gateLimits reads the file of limits, if there is one. Flags override it.
func gateLimits(cmd *cobra.Command, path, drop, peak string, slowdown, klRise, confidence float64) (gate.Limits, error) {
	var l gate.Limits
	var err error
	if path != "" {
		if l, err = gate.ReadLimits(path); err != nil {
			return l, err
		}
	}
	if drop != "" {
		limit, err := gate.ParseLimit(drop)
		if err != nil {
			return l, usage(err)
		}
		l.MaxDrop = &limit
	}
	if peak != "" {
		size, err := gate.ParseSize(peak)
		if err != nil {
			return l, usage(err)
		}
		l.MaxPeak = &size
	}
	if cmd.Flags().Changed("max-slowdown") {
		l.MaxSlowdown = &slowdown
	}
	if cmd.Flags().Changed("max-kl-rise") {
		l.MaxKLRise = &klRise
	}
	if cmd.Flags().Changed("confidence") {
		if confidence == 0 { // Limits would take it for the default
			return l, usage(fmt.Errorf("confidence %v: want 0.5 to 0.9999, such as 0.95", confidence))
		}
		l.Confidence = confidence
	}
	return l, usage(l.Check())
}

// writeFile writes a file, or adds to its end where more is set.
func writeFile(path string, write func(io.Writer) error, more bool) error {
	flags := os.O_CREATE | os.O_WRONLY | os.O_TRUNC
	if more {
		flags = os.O_CREATE | os.O_WRONLY | os.O_APPEND
	}
	f, err := os.OpenFile(path, flags, 0o644)
	if err != nil {
		return err
	}
	if err := write(f); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
