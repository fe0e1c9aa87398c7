package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/snapbench/snapbench/runners/cluster"
	"github.com/snapbench/snapbench/runners/console/commands"
	"github.com/snapbench/snapbench/runners/server/process"
)

// clusterFlags say which engine places a run's parts on many machines.
type clusterFlags struct {
	on, engineArgs, program string
	image, claim            string
	shards, atOnce          int
	grace                   time.Duration
	print, detach           bool
	names                   []string // of the flags that belong to --on
}

func (f *clusterFlags) register(cmd *cobra.Command) {
	s := pflag.NewFlagSet("", pflag.ContinueOnError)
	s.IntVar(&f.shards, "shards", 0, "with --on: of how many parts the run is made")
	s.IntVar(&f.atOnce, "at-once", 0, "with --on: most parts at the same time (default: as many as the engine likes)")
	s.StringVar(&f.engineArgs, "engine-args", "", "with --on: arguments of the engine's own, such as '--partition=gpu --gres=gpu:1 --time=4:00:00'")
	s.DurationVar(&f.grace, "grace", 2*time.Minute, "with --on: how long before the engine's time limit a part ends at a sample's end, to be started again")
	s.StringVar(&f.program, "program", "", "with --on: path of snapbench on the machines (default: this program's own, or the image's)")
	s.StringVar(&f.image, "image", "", "with --on kubernetes: the image with snapbench in it")
	s.StringVar(&f.claim, "claim", "", "with --on kubernetes: the claim that all machines may write; NAME=DIR where it is mounted at DIR here too")
	s.BoolVar(&f.print, "print", false, "with --on: print what would be submitted, and submit nothing")
	s.BoolVar(&f.detach, "detach", false, "with --on: submit, and do not follow")
	s.VisitAll(func(flag *pflag.Flag) { f.names = append(f.names, flag.Name) })
	cmd.Flags().StringVar(&f.on, "on", "", "place the run's parts on many machines by "+strings.Join(cluster.Names(), ", ")+", follow them, and show the joined run; the same command attaches again")
	cmd.Flags().AddFlagSet(s)
}

// check refuses flags that do not belong together.
func (f *clusterFlags) check(cmd *cobra.Command) error {
	for _, name := range f.names {
		if f.on == "" && cmd.Flags().Changed(name) {
			return fmt.Errorf("--%s is for runs on many machines: name an engine by --on %s", name, strings.Join(cluster.Names(), "|"))
		}
	}
	switch {
	case f.on == "":
		return nil
	case cmd.Flags().Changed("shard"):
		return fmt.Errorf("--shard is one part, which --on gives to each of its own: leave one of them away")
	case f.shards < 1:
		return fmt.Errorf("--shards %d: of how many parts is the run to be made? want 1 or more", f.shards)
	case f.atOnce < 0 || f.grace < 0:
		return fmt.Errorf("--at-once %d, --grace %v: want neither below 0", f.atOnce, f.grace)
	case f.print && f.detach:
		return fmt.Errorf("--print submits nothing, so there is nothing to detach from")
	}
	return nil
}

// placement is what an engine is to place: this command, in parts, into a folder.
func (a *asking) placement(cmd *cobra.Command, command string) (p *cluster.Placement, err error) {
	f := &a.cluster
	p = &cluster.Placement{On: f.on, Retry: a.run.retry}
	if p.Engine, err = cluster.Open(f.on); err != nil {
		return nil, fmt.Errorf("--on: %w", err)
	}
	w := &p.Work
	w.Arguments = f.arguments(cmd, command, a.arguments)
	if a.run.out == "" {
		a.run.out = filepath.Join("runs", fmt.Sprintf("%s-%.6x", command, sha256.Sum256([]byte(strings.Join(w.Arguments, "\x00")))))
	}
	if err := cluster.NoObjectStore(a.run.out); err != nil {
		return nil, fmt.Errorf("--out: %w", err)
	}
	if a.run.date == "" { // parts that begin on either side of midnight must be told the same day
		w.Arguments = slices.Insert(w.Arguments, 1, "--date="+time.Now().Format(time.DateOnly))
	}
	if w.Dir, err = os.Getwd(); err != nil {
		return nil, err
	}
	if p.Dir, err = filepath.Abs(a.run.out); err != nil {
		return nil, err
	}
	switch {
	case f.program != "":
		w.Program = f.program
	case f.image != "":
		w.Program = "snapbench"
	default:
		if w.Program, err = os.Executable(); err != nil {
			return nil, err
		}
	}
	if w.EngineArgs, err = process.Words(f.engineArgs); err != nil {
		return nil, fmt.Errorf("--engine-args %q: %w", f.engineArgs, err)
	}
	w.Name, w.Out, w.Count, w.AtOnce = cluster.JobName(p.Dir), p.Dir, f.shards, f.atOnce
	w.Grace, w.Image, w.Claim = f.grace, f.image, f.claim
	if placer, ok := p.Engine.(cluster.Placer); ok {
		err = placer.Place(p.Dir, w)
	}
	return p, err
}

// arguments make a part of what a command was asked: the command, its flags as they were
// given or as a preset has them, and its arguments; not what places parts, and not what
// differs between this process and theirs.
func (f *clusterFlags) arguments(cmd *cobra.Command, command string, positional []string) []string {
	given := commands.Given(cmd, append([]string{"on", "out", "shard", "json", "quiet", "retry"}, f.names...)...)
	return slices.Concat([]string{command}, given, positional)
}
