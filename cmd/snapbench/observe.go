package main

import (
	"github.com/spf13/cobra"

	"github.com/snapbench/snapbench/datasets"
	"github.com/snapbench/snapbench/runners/console"
	"github.com/snapbench/snapbench/runners/console/commands"
	"github.com/snapbench/snapbench/runners/observe"
)

func newObserve() *cobra.Command {
	var a asking
	var tasks []string
	plan := observe.Plan{Settings: observe.Paper}
	cmd := &cobra.Command{
		Use:   "observe",
		Short: "See where heads look: hit rates of the prompt's windows, attention captured, the oracle",
		Long: `observe reads each prompt with the model's own greedy answer behind it and counts what
SnapKV's paper (arXiv 2404.14469v2, section 3) shows before it proposes anything: whether
windows of the prompt vote for what the answer attends to, and how much of the answer's
attention each variant keeps, beside the best set of its size. docs/observe.md explains it.`,
		Example: `  snapbench observe --lengths 1k --trials 2 --max-new 32 --budgets 64,128 --out runs/seen
  snapbench observe --model org/name --tasks qasper --data DIR --limit 8 --budgets 512,1024 --json`,
		Args: cobra.NoArgs,
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		if plan.Variants, err = a.variants.list(cmd); err != nil {
			return err
		}
		names, err := datasets.Expand(commands.Trimmed(tasks))
		if err != nil {
			return usage(err)
		}
		if plan.Tasks, _, err = a.open(cmd, names, ""); err != nil {
			return err
		}
		progress := console.NewProgress(cmd.ErrOrStderr(), a.run.quiet)
		defer progress.Close()
		to := observe.Output{Command: commands.Line("snapbench"), Version: commands.Version(), Folder: a.run.out, JSON: a.run.json}
		return plan.Show(cmd.Context(), cmd.OutOrStdout(), a.model.options(true), to, progress.Say)
	}
	a.model.register(cmd)
	a.variants.register(cmd)
	a.registerTasks(cmd, "needle", "longbench", "prompts")
	cmd.Flag("device").Usage = "device: auto, cpu, ref, cuda, cuda:N; one of them"
	s := cmd.Flags()
	s.StringSliceVar(&tasks, "tasks", []string{"niah"}, "tasks, or groups of them; snapbench datasets lists them")
	s.IntVar(&plan.Forced, "max-new", 128, "tokens of the greedy answer that are observed, end tokens left out")
	s.IntVar(&plan.Settings.Window, "rows", plan.Settings.Window, "tokens of a window of the prompt that votes")
	s.IntVar(&a.run.limit, "limit", 0, "only the first samples of each task")
	s.StringVar(&a.run.out, "out", "", "folder for observe.json and pictures")
	s.BoolVar(&a.run.json, "json", false, "print what observe.json holds")
	s.BoolVar(&a.run.quiet, "quiet", false, "no progress")
	return cmd
}
