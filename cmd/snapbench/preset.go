package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/snapbench/snapbench/configs"
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
				return usage(err)
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

// quickstart applies the preset quickstart to a command without flags that say what to run.
func quickstart(cmd *cobra.Command) error {
	asked := false
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		switch f.Name {
		// These say where and how, not what.
		case "out", "json", "quiet", "device", "stage", "max-unpacked", "retry", "shard",
			"on", "shards", "at-once", "engine-args", "image", "claim", "print", "detach":
		default:
			asked = asked || f.Changed
		}
	})
	if asked {
		return nil
	}
	p, err := configs.Shipped("quickstart")
	if err != nil {
		return err
	}
	return apply(cmd, p)
}
