package main

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/snapbench/snapbench/configs"
	"github.com/snapbench/snapbench/runners/console"
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
				return usage(fmt.Errorf("%s: unknown command %q: have needle, longbench, prompts, speed", p.Source, p.Command))
			}
			if err := apply(target, p); err != nil {
				return err
			}
			if err := target.ParseFlags(args[1:]); err != nil {
				return flagError(target, err)
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

// apply sets a command's flags from a preset. A list typed afterwards replaces the
// preset's.
func apply(cmd *cobra.Command, p configs.Preset) error {
	for _, f := range p.Flags {
		flag := cmd.Flags().Lookup(f.Name)
		if flag == nil {
			return usage(fmt.Errorf("%s:%d: %s has no flag %q", p.Source, f.Line, p.Command, f.Name))
		}
		var err error
		text := strings.Join(f.Values, ",")
		if list, ok := flag.Value.(pflag.SliceValue); ok {
			// After Set, a list typed by the user would be appended; after Replace it replaces.
			err, flag.Changed = list.Replace(strings.Split(text, ",")), true
		} else {
			err = cmd.Flags().Set(f.Name, text)
		}
		if err != nil {
			return usage(fmt.Errorf("%s:%d: %s: %w", p.Source, f.Line, f.Name, err))
		}
	}
	return nil
}

// quickstart makes the preset quickstart the defaults of needle's flags, as its help shows
// them. None counts as given, so that one that is given changes what it names alone.
func quickstart(cmd *cobra.Command) {
	p, err := configs.Shipped("quickstart")
	if err != nil {
		panic(err) // it is inside the program
	}
	for _, f := range p.Flags {
		flag := cmd.Flags().Lookup(f.Name)
		if list, ok := flag.Value.(pflag.SliceValue); ok {
			err = list.Replace(f.Values) // a list typed by the user takes its place
		} else {
			err = flag.Value.Set(strings.Join(f.Values, ","))
		}
		if err != nil {
			panic(err)
		}
		flag.DefValue = flag.Value.String()
		flag.Usage = ownDefault.ReplaceAllString(flag.Usage, "")
	}
}

// ownDefault is the default that the help of a task's option ends with.
var ownDefault = regexp.MustCompile(` \(default [^()]*\)$`)

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
	if !given("model") || a.server.asked() || a.cluster.on != "" {
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
