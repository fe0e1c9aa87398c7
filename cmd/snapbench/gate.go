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
	"github.com/snapbench/snapbench/runners/console/commands"
)

func newGate() *cobra.Command {
	var f struct {
		gate.Flags
		limits, against, markdown, junit string
		slowdown, klRise, confidence     float64
		flips                            string
		json, plan                       bool
	}
	cmd := &cobra.Command{
		Use:   "gate BASELINE CANDIDATE | gate RUN --against VARIANT | gate --plan [RUN …]",
		Short: "An exit status on an accuracy drop: 0 pass, 3 fail, 4 undecided",
		Long: `gate pairs the rows of two runs by sample, or the variants of one run with its
full cache or another of them, and holds the drop of each task and of their
average to a limit.

--about set, the default, asks: did this change cost more than the limit on
these samples? Where no answer changed it passes as identical; else the drop
passes or fails as it is, and beside it stand how many answers changed and
McNemar's exact test where scores are 0 or 1. --about population asks: will it,
on all prompts of their kind? It passes or fails where an exact bound, corrected
for the number of comparisons, is on one side of the limit, and is undecided
otherwise, with the samples it would take.

Results that cannot be compared (missing or failed samples, other prompts,
models, devices, metric versions) are refused with the reason and status 1;
--across allows what it names. A failed budget audit fails the gate.

--plan runs nothing and says how many samples each task takes for its limit: by
the spread of a pilot (two runs, or one and --against), of a share of answers that
is thought to turn (--flips 5%), or else of published LongBench predictions.`,
		Example: `  snapbench gate runs/main runs/candidate --max-drop 1.0
  snapbench gate runs/candidate --against full --max-drop 2% --about population
  snapbench gate runs/kv --against baseline --max-drop 1     # servers, against the first of them
  snapbench gate runs/bf16 runs/fp8 --max-drop 1 --across model,dtype
  snapbench gate --plan --max-drop 1                         # how many samples? by published spreads
  snapbench gate --plan runs/pilot --against full --max-drop 1
  snapbench gate runs/main runs/candidate --limits limits.yaml --junit gate.xml --markdown "$GITHUB_STEP_SUMMARY"`,
		Args: cobra.RangeArgs(0, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			for name, flag := range map[string]struct {
				to   **float64
				from *float64
			}{"max-slowdown": {&f.MaxSlowdown, &f.slowdown}, "max-kl-rise": {&f.MaxKLRise, &f.klRise}, "confidence": {&f.Confidence, &f.confidence}} {
				if cmd.Flags().Changed(name) {
					*flag.to = flag.from
				}
			}
			var limits gate.Limits
			var err error
			if f.limits != "" {
				if limits, err = gate.ReadLimits(f.limits); err != nil {
					return err
				}
			}
			if limits, err = f.Over(limits); err != nil {
				return usage(err)
			}
			switch {
			case !f.plan && f.flips != "":
				return usage(fmt.Errorf("--flips is for --plan"))
			case f.plan && f.junit+f.markdown != "":
				return usage(fmt.Errorf("--plan gives no verdict to write as --junit or --markdown: it prints, also --json"))
			case len(args) != 1 && f.against != "", !f.plan && (len(args) == 0 || len(args) == 1 && f.against == ""):
				return usage(fmt.Errorf("name two runs, or one and --against VARIANT"))
			case f.against != "" && f.flips != "":
				return usage(fmt.Errorf("--flips and --against: a plan is by an assumption or by a pilot, not both"))
			}
			sets, err := readEach(args)
			if err != nil {
				return err
			}
			if f.plan {
				return planGate(cmd.OutOrStdout(), sets, f.against, f.flips, limits, f.json)
			}
			var verdict *gate.Result
			if len(sets) == 2 {
				verdict, err = gate.Runs(sets[0], sets[1], limits)
			} else if verdict, err = gate.Variants(sets[0], f.against, limits); errors.Is(err, gate.ErrUnknownVariant) {
				return usage(err)
			}
			if err != nil {
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
				return &commands.ExitError{Code: status}
			}
			return nil
		},
	}
	s := cmd.Flags()
	s.StringVar(&f.About, "about", "", "the question: set, these samples (default), or population, all prompts of their kind")
	s.StringVar(&f.MaxDrop, "max-drop", "", "largest drop allowed: points of 0–100 (1.0) or a share of the baseline (2%)")
	s.StringVar(&f.limits, "limits", "", "YAML file of limits, also per task; flags override it")
	s.StringVar(&f.against, "against", "", "compare the variants of one run with this one of it: full, any other, or baseline for the one that its tables are against")
	s.StringSliceVar(&f.Across, "across", nil, "what two runs may differ in: model (and revision), revision, protocol, device, dtype; of servers engine, label; prompt (paired by sample)")
	s.Float64Var(&f.slowdown, "max-slowdown", 0, "largest multiple of the baseline's times")
	s.StringVar(&f.MaxPeak, "max-peak", "", "largest peak memory: a multiple of the baseline's (1.1) or a size (12GiB)")
	s.Float64Var(&f.klRise, "max-kl-rise", 0, "largest rise of the mean KL divergence from the full cache, nats (rows with --fidelity)")
	s.Float64Var(&f.confidence, "confidence", 0, "confidence of a verdict about the population (default 0.95)")
	s.BoolVar(&f.plan, "plan", false, "say how many samples each task takes for its limit, by a pilot or published spreads")
	s.StringVar(&f.flips, "flips", "", "with --plan: the share of right and wrong answers that turn, such as 5%, in place of a pilot's spread")
	s.StringVar(&f.markdown, "markdown", "", "append the verdict to this file as Markdown")
	s.StringVar(&f.junit, "junit", "", "write the verdict to this file as JUnit XML")
	s.BoolVar(&f.json, "json", false, "print JSON: scores, drops and limits are points of 0–100")
	return cmd
}

// planGate prints how many samples the limits take.
func planGate(w io.Writer, sets []results.Set, against, flips string, limits gate.Limits, asJSON bool) error {
	var plan *gate.Plan
	var err error
	switch {
	case flips != "":
		var tasks []string
		for _, set := range sets {
			tasks = set.Run.TasksOf(set.Rows)
		}
		plan, err = gate.PlanFlips(flips, tasks, limits)
		err = usage(err)
	case len(sets) == 2:
		plan, err = gate.PlanRuns(sets[0], sets[1], limits)
	case len(sets) == 1:
		if against == "" {
			against = "baseline"
		}
		plan, err = gate.PlanVariants(sets[0], against, limits)
	default:
		plan = gate.PlanPublished(limits)
	}
	switch {
	case errors.Is(err, gate.ErrUnknownVariant):
		return usage(err)
	case err != nil:
		return err
	case asJSON:
		return plan.WriteJSON(w)
	}
	_, err = io.WriteString(console.Bare(w), plan.Text(console.Width(w)))
	return err
}

// readEach reads the results at some paths.
func readEach(paths []string) (sets []results.Set, err error) {
	for _, path := range paths {
		set, err := results.Read(path)
		if err != nil {
			return nil, err
		}
		sets = append(sets, set)
	}
	return sets, nil
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
