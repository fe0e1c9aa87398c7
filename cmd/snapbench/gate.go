package main

import (
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/results/gate"
	"github.com/snapbench/snapbench/runners/console"
	"github.com/snapbench/snapbench/runners/console/commands"
)

func newGate() *cobra.Command {
	var f struct {
		gate.Asked
		markdown, junit              string
		slowdown, klRise, confidence float64
		json                         bool
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

Results that cannot be compared (missing samples, a baseline that failed, other
prompts, models, devices, metric versions) are refused with the reason and status 1;
--across allows what it names. A sample that only the candidate failed on fails its
variant, and so does a failed budget audit.

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
			f.Written = f.junit+f.markdown != ""
			limits, err := f.Limits()
			if err != nil {
				return err
			}
			if limits, err = f.Check(limits, len(args)); err != nil {
				return usage(err)
			}
			sets, err := results.ReadEach(args)
			if err != nil {
				return err
			}
			if f.Plan {
				plan, err := f.Samples(sets, limits)
				if f.Flips != "" || errors.Is(err, gate.ErrUnknownVariant) {
					err = usage(err)
				}
				if err != nil {
					return err
				}
				return printPlan(cmd.OutOrStdout(), plan, f.json)
			}
			verdict, err := f.Judge(sets, limits)
			if errors.Is(err, gate.ErrUnknownVariant) {
				return usage(err)
			} else if err != nil {
				return err
			}
			if f.json {
				err = verdict.WriteJSON(cmd.OutOrStdout())
			} else {
				_, err = io.WriteString(console.Bare(cmd.OutOrStdout()), verdict.Text(console.Width(cmd.OutOrStdout())))
			}
			if f.junit != "" {
				err = errors.Join(err, verdict.SaveJUnit(f.junit))
			}
			if f.markdown != "" {
				err = errors.Join(err, verdict.AppendMarkdown(f.markdown))
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
	s.StringVar(&f.File, "limits", "", "YAML file of limits, also per task; flags override it")
	s.StringVar(&f.Against, "against", "", "compare the variants of one run with this one of it: full, any other, or baseline for the one that its tables are against")
	s.StringSliceVar(&f.Across, "across", nil, "what two runs may differ in: model (and revision), revision, protocol, device, dtype; of servers engine, label; prompt (paired by sample)")
	s.Float64Var(&f.slowdown, "max-slowdown", 0, "largest multiple of the baseline's times")
	s.StringVar(&f.MaxPeak, "max-peak", "", "largest peak memory: a multiple of the baseline's (1.1) or a size (12GiB)")
	s.Float64Var(&f.klRise, "max-kl-rise", 0, "largest rise of the mean KL divergence from the full cache, nats (rows with --fidelity)")
	s.Float64Var(&f.confidence, "confidence", 0, "confidence of a verdict about the population (default 0.95)")
	s.BoolVar(&f.Plan, "plan", false, "say how many samples each task takes for its limit, by a pilot or published spreads")
	s.StringVar(&f.Flips, "flips", "", "with --plan: the share of right and wrong answers that turn, such as 5%, in place of a pilot's spread")
	s.StringVar(&f.markdown, "markdown", "", "append the verdict to this file as Markdown")
	s.StringVar(&f.junit, "junit", "", "write the verdict to this file as JUnit XML")
	s.BoolVar(&f.json, "json", false, "print JSON: scores, drops and limits are points of 0–100")
	return cmd
}

// printPlan prints how many samples the limits take.
func printPlan(w io.Writer, plan *gate.Plan, asJSON bool) error {
	if asJSON {
		return plan.WriteJSON(w)
	}
	_, err := io.WriteString(console.Bare(w), plan.Text(console.Width(w)))
	return err
}
