package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/snapbench/snapbench/configs"
	"github.com/snapbench/snapbench/runners/console"
	"github.com/snapbench/snapbench/runners/console/commands"
	"github.com/snapbench/snapbench/runners/local"
)

func newRun() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "run PRESET [flags of its command]",
		Short: "A command and its flags from a YAML file",
		Long: `run reads a preset, a YAML file with a command and its flags, and runs it. Flags
given here replace the preset's. Presets inside the program: ` + strings.Join(configs.Names(), ", ") + `.`,
		Example: `  snapbench run quickstart
  snapbench run paper --model org/name --device cuda:all --out runs/paper
  snapbench run mine.yaml --limit 5`,
		DisableFlagParsing:    true,
		DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 && (args[0] == "--help" || args[0] == "-h") {
				return cmd.Help()
			}
			if len(args) == 0 || strings.HasPrefix(args[0], "-") {
				return usage(fmt.Errorf("which preset? a YAML file, or one of %s", strings.Join(configs.Names(), ", ")))
			}
			p, err := configs.Open(args[0])
			if err != nil {
				return usage(err)
			}
			target, rest, err := cmd.Root().Find([]string{p.Command})
			if err != nil || len(rest) > 0 || target == cmd.Root() || target == cmd {
				return usage(fmt.Errorf("%s: unknown command %q: have needle, longbench, prompts, questions, speed", p.Source, p.Command))
			}
			if err := commands.Apply(target, p); err != nil {
				return err
			}
			if err := target.ParseFlags(args[1:]); err != nil {
				return commands.FlagError(target, err)
			}
			positional := append(p.Args, target.Flags().Args()...)
			if err := target.ValidateArgs(positional); err != nil {
				return usage(err)
			}
			target.SetContext(cmd.Context())
			return target.RunE(target, positional)
		},
	}
	return cmd
}

// settle takes back those defaults of the quick start that flags given stand in the place
// of: policies and variants bring parameters of their own, a longest length a list of
// lengths. Of a model that is named, the lengths that its context has no room for are left
// out.
func (a *asking) settle(cmd *cobra.Command) {
	given := cmd.Flags().Changed
	if given("policies") || given("variants") {
		for name, values := range a.variants.parameters {
			if !given(name) {
				*values = nil
			}
		}
	}
	if given("lengths") {
		return
	}
	lengths := a.options["lengths"]
	if given("max-len") {
		lengths.list = nil
		return
	}
	if !given("model") || a.server.asked() || a.cluster.On != "" {
		return
	}
	progress := console.NewProgress(cmd.ErrOrStderr(), a.run.quiet)
	defer progress.Close()
	fit, left, context := local.Within(cmd.Context(), a.model.model, lengths.list, progress.Say)
	if len(fit) > 0 && len(left) > 0 {
		lengths.list = fit
		progress.Say("without lengths %s: the context of %s is %d tokens", strings.Join(left, ", "), a.model.model, context)
	}
}
