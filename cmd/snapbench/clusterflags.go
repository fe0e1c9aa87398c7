package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/snapbench/snapbench/runners/cluster"
	"github.com/snapbench/snapbench/runners/console/commands"
)

// clusterFlags say which engine places a run's parts on many machines.
type clusterFlags struct {
	cluster.Asked
	print, detach bool
	names         []string // of the flags that belong to --on
}

func (f *clusterFlags) register(cmd *cobra.Command) {
	s := pflag.NewFlagSet("", pflag.ContinueOnError)
	s.IntVar(&f.Shards, "shards", 0, "with --on: of how many parts the run is made")
	s.IntVar(&f.AtOnce, "at-once", 0, "with --on: most parts at the same time (default: as many as the engine likes)")
	s.StringVar(&f.EngineArgs, "engine-args", "", "with --on: arguments of the engine's own, such as '--partition=gpu --gres=gpu:1 --time=4:00:00'")
	s.DurationVar(&f.Grace, "grace", 2*time.Minute, "with --on: how long before the engine's time limit a part ends at a sample's end, to be started again")
	s.StringVar(&f.Program, "program", "", "with --on: path of snapbench on the machines (default: this program's own, or the image's)")
	s.StringVar(&f.Image, "image", "", "with --on kubernetes: the image with snapbench in it")
	s.StringVar(&f.Claim, "claim", "", "with --on kubernetes: the claim that all machines may write; NAME=DIR where it is mounted at DIR here too")
	s.BoolVar(&f.print, "print", false, "with --on: print what would be submitted, and submit nothing")
	s.BoolVar(&f.detach, "detach", false, "with --on: submit, and do not follow")
	s.VisitAll(func(flag *pflag.Flag) { f.names = append(f.names, flag.Name) })
	cmd.Flags().StringVar(&f.On, "on", "", "place the run's parts on many machines by "+strings.Join(cluster.Names(), ", ")+", follow them, and show the joined run; the same command attaches again")
	cmd.Flags().AddFlagSet(s)
}

// check refuses flags that do not belong together.
func (f *clusterFlags) check(cmd *cobra.Command) error {
	for _, name := range f.names {
		if f.On == "" && cmd.Flags().Changed(name) {
			return fmt.Errorf("--%s is for runs on many machines: name an engine by --on %s", name, strings.Join(cluster.Names(), "|"))
		}
	}
	switch {
	case f.On == "":
		return nil
	case cmd.Flags().Changed("shard"):
		return fmt.Errorf("--shard is one part, which --on gives to each of its own: leave one of them away")
	}
	if err := f.Asked.Check(); err != nil {
		return err
	}
	if f.print && f.detach {
		return fmt.Errorf("--print submits nothing, so there is nothing to detach from")
	}
	return nil
}

// placement is what an engine is to place: this command, in parts, into a folder. A part is
// told the command's flags as they were given or as a preset has them, and its arguments; not
// what places parts, and not what differs between this process and theirs.
func (a *asking) placement(cmd *cobra.Command, command string) (*cluster.Placement, error) {
	p := a.cluster.Asked
	given := commands.Given(cmd, append([]string{"on", "out", "shard", "json", "quiet", "retry"}, a.cluster.names...)...)
	p.Command, p.Arguments = command, slices.Concat(given, a.arguments)
	p.Out, p.Date, p.Retry = a.run.out, a.run.date, a.run.retry
	return p.Placement()
}
