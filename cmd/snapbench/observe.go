package main

import (
	"github.com/spf13/cobra"

	"github.com/snapbench/snapbench/datasets"
	"github.com/snapbench/snapbench/runners/console"
	"github.com/snapbench/snapbench/runners/console/commands"
	"github.com/snapbench/snapbench/runners/observe"
	"github.com/snapbench/snapbench/runners/observe/instruction"
)

func newObserve() *cobra.Command {
	var a asking
	var tasks []string
	var questions string
	plan := observe.Plan{Settings: observe.Paper}
	cmd := &cobra.Command{
		Use:   "observe",
		Short: "See where heads look: hit rates of the prompt's windows, attention captured, the oracle",
		Long: `observe reads each prompt with the model's own greedy answer behind it and counts what
SnapKV's paper (arXiv 2404.14469v2, section 3) shows before it proposes anything: whether
windows of the prompt vote for what the answer attends to, and how much of the answer's
attention each variant keeps, beside the best set of its size. With --questions it compares
the questions of each context instead (section 4.2): what they have in common, and whether it
matters where they stand. docs/observe.md explains it.`,
		Example: `  snapbench observe --lengths 1k --trials 2 --max-new 32 --budgets 64,128 --out runs/seen
  snapbench observe --model org/name --tasks qasper --data DIR --limit 8 --budgets 512,1024 --json
  snapbench observe --questions mine.jsonl --budgets 64,128 --out runs/asked`,
		Args: cobra.NoArgs,
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		if plan.Variants, err = a.variants.list(cmd); err != nil {
			return err
		}
		progress := console.NewProgress(cmd.ErrOrStderr(), a.run.quiet)
		defer progress.Close()
		to := observe.Output{Command: commands.Line("snapbench"), Version: commands.Version(), Folder: a.run.out, JSON: a.run.json}
		if cmd.Flags().Changed("questions") {
			asked := instruction.Plan{Settings: instruction.Paper, Variants: plan.Variants, Limit: a.run.limit}
			if cmd.Flags().Changed("max-new") {
				asked.Settings.Response = plan.Forced
			}
			if cmd.Flags().Changed("rows") {
				asked.Settings.Windows = []int{plan.Settings.Window}
			}
			a.options["file"].one, a.options["convention"], a.run.limit = questions, &ownFlag{list: instruction.Conventions}, 0
			opened, _, err := a.open(cmd, []string{"questions"}, "")
			if err != nil {
				return err
			}
			asked.Task = opened[0]
			return asked.Show(cmd.Context(), cmd.OutOrStdout(), a.model.options(true), to, progress.Say)
		}
		names, err := datasets.Expand(commands.Trimmed(tasks))
		if err != nil {
			return usage(err)
		}
		if plan.Tasks, _, err = a.open(cmd, names, ""); err != nil {
			return err
		}
		return plan.Show(cmd.Context(), cmd.OutOrStdout(), a.model.options(true), to, progress.Say)
	}
	a.model.register(cmd)
	a.variants.register(cmd)
	a.registerTasks(cmd, "needle", "longbench", "prompts")
	cmd.Flag("device").Usage = "device: auto, cpu, ref, cuda, cuda:N; one of them"
	s := cmd.Flags()
	s.StringSliceVar(&tasks, "tasks", []string{"niah"}, "tasks, or groups of them; snapbench datasets lists them")
	s.StringVar(&questions, "questions", "", "compare the questions of each context of this file, FILE.jsonl (docs/questions.md), in place of tasks")
	cmd.MarkFlagsMutuallyExclusive("questions", "tasks")
	s.IntVar(&plan.Forced, "max-new", 128, "tokens of the greedy answer that are observed, end tokens left out; with --questions 16, and none left out")
	s.IntVar(&plan.Settings.Window, "rows", plan.Settings.Window, "tokens of a window of the prompt that votes; with --questions 128 and 32")
	s.IntVar(&a.run.limit, "limit", 0, "only the first samples of each task, or contexts")
	s.StringVar(&a.run.out, "out", "", "folder for observe.json and pictures")
	s.BoolVar(&a.run.json, "json", false, "print what observe.json holds")
	s.BoolVar(&a.run.quiet, "quiet", false, "no progress")
	return cmd
}
