package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/snapbench/snapbench/runners/cluster"
	"github.com/snapbench/snapbench/runners/server/process"
)

// clusterFlags say which engine places a run's parts on many machines.
type clusterFlags struct {
	on, engineArgs        string
	program, image, claim string
	shards, atOnce        int
	grace                 time.Duration
	print, detach         bool
}

// own are the flags' names, of which parts get none.
func (f *clusterFlags) register(s *pflag.FlagSet) {
	s.StringVar(&f.on, "on", "", "place the run's parts on many machines by "+strings.Join(cluster.Names(), ", ")+", follow them, and show the joined run; the same command attaches again")
	s.IntVar(&f.shards, "shards", 0, "with --on: of how many parts the run is made")
	s.IntVar(&f.atOnce, "at-once", 0, "with --on: most parts at the same time (default: as many as the engine likes)")
	s.StringVar(&f.engineArgs, "engine-args", "", "with --on: arguments of the engine's own, such as '--partition=gpu --gres=gpu:1 --time=4:00:00'")
	s.DurationVar(&f.grace, "grace", 2*time.Minute, "with --on: how long before the engine's time limit a part ends at a sample's end, to be started again")
	s.StringVar(&f.program, "program", "", "with --on: path of snapbench on the machines (default: this program's own, or the image's)")
	s.StringVar(&f.image, "image", "", "with --on kubernetes: the image with snapbench in it")
	s.StringVar(&f.claim, "claim", "", "with --on kubernetes: the claim that all machines may write; NAME=DIR where it is mounted at DIR here too")
	s.BoolVar(&f.print, "print", false, "with --on: print what would be submitted, and submit nothing")
	s.BoolVar(&f.detach, "detach", false, "with --on: submit, and do not follow")
}

// clusterFlagNames are the flags of which parts get none: what places them, and what
// differs between this process and theirs.
var clusterFlagNames = []string{"on", "shards", "at-once", "engine-args", "grace", "program", "image", "claim", "print", "detach",
	"out", "shard", "json", "quiet", "retry"}

// check refuses flags that do not belong together.
func (f *clusterFlags) check(cmd *cobra.Command) error {
	if f.on == "" {
		for _, name := range clusterFlagNames[1:10] {
			if cmd.Flags().Changed(name) {
				return fmt.Errorf("--%s is for runs on many machines: name an engine by --on %s", name, strings.Join(cluster.Names(), "|"))
			}
		}
		return nil
	}
	switch {
	case cmd.Flags().Changed("shard"):
		return fmt.Errorf("--shard is one part, which --on gives to each of its own: leave one of them away")
	case f.shards < 1:
		return fmt.Errorf("--shards %d: of how many parts is the run to be made? want 1 or more", f.shards)
	case f.atOnce < 0:
		return fmt.Errorf("--at-once %d: want 1 or more", f.atOnce)
	case f.grace < 0:
		return fmt.Errorf("--grace %v: want a time above 0", f.grace)
	case f.print && f.detach:
		return fmt.Errorf("--print submits nothing, so there is nothing to detach from")
	}
	return nil
}

// work is what an engine is given for a run's folder, parts excepted.
func (f *clusterFlags) work(arguments []string, dir string) (w cluster.Work, err error) {
	if w.Dir, err = os.Getwd(); err != nil {
		return w, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return w, err
	}
	w.Program = f.program
	if w.Program == "" && f.image == "" {
		if w.Program, err = os.Executable(); err != nil {
			return w, err
		}
	}
	if w.Program == "" {
		w.Program = "snapbench"
	}
	if w.EngineArgs, err = process.Words(f.engineArgs); err != nil {
		return w, fmt.Errorf("--engine-args %q: %w", f.engineArgs, err)
	}
	w.Name, w.Arguments, w.Out, w.Count, w.AtOnce = jobName(dir), arguments, dir, f.shards, f.atOnce
	w.Grace, w.Image, w.Claim = f.grace, f.image, f.claim
	return w, nil
}

// jobName makes a name for an engine's listings from the run's folder.
func jobName(dir string) string {
	const most = 40
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		}
		return '-'
	}, "snapbench-"+filepath.Base(dir))
	return strings.Trim(name[:min(len(name), most)], "-")
}

// partArguments are the arguments that make a part of what a command was asked: the
// command, its flags as they were given or as a preset has them, and its arguments.
func partArguments(cmd *cobra.Command, command string, positional []string) (list []string) {
	list = append(list, command)
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if slices.Contains(clusterFlagNames, f.Name) {
			return
		}
		switch v := f.Value.(type) {
		case pflag.SliceValue:
			if f.Value.Type() == "stringArray" { // each value on its own
				for _, one := range v.GetSlice() {
					list = append(list, "--"+f.Name+"="+one)
				}
				return
			}
			list = append(list, "--"+f.Name+"="+strings.Join(v.GetSlice(), ","))
		default:
			list = append(list, "--"+f.Name+"="+f.Value.String())
		}
	})
	return append(list, positional...)
}
