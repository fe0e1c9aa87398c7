package main

import (
	"encoding/json"
	"errors"

	"github.com/spf13/cobra"

	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/runners/console"
	"github.com/snapbench/snapbench/runners/console/commands"
	"github.com/snapbench/snapbench/runners/local"
	"github.com/snapbench/snapbench/runners/speed"
)

// speedFlags are the flags of speed alone.
type speedFlags struct {
	speed.Asked
	out, against       string
	bench, json, quiet bool
}

func newSpeed() *cobra.Command {
	var v variantFlags
	var m modelFlags
	var f speedFlags
	cmd := &cobra.Command{
		Use:   "speed",
		Short: "Throughput and memory: prefill, decoding steps, peak, and the roof each is held to",
		Long: `speed reads random prompts, each sequence its own, one after the other, and
measures every length, batch and variant alone: prefill, decoding steps (median,
p10 and p90 of synchronised steps after a warm-up, the end token not obeyed), peak
memory by the device's own account, and the roofs: the bytes a step must read over
the bandwidth measured here, the operations of a prefill over the rates measured
here. What does not fit is a result too, with the bytes it would need. Of a cell
whose steps vary by more than half (p90 over p10) no ratio is printed.

--batch max is the largest batch, and --lengths max the longest prompt, that fits by
the plan of memory: weights, what the prefill of one prompt needs, all caches, what
decoding needs. What the plan promises is then allocated and run; where that fails,
a smaller one runs, and a note says so.

Two flags spare what is not in question, and the output says so. --prefill 2 reads
only two prompts of a batch and gives the other sequences copies of the caches, in
memory of their own and with tokens of their own, so that a step reads as much.
--layers 1 computes only the first layer of each prefill; the others choose and
gather from its keys and values, so that all memory and all decoding is that of the
whole model. --attending 128k lets only so many of a prompt's last tokens attend.`,
		Example: `  snapbench speed --model shape:llama-2-7b --lengths 4k,16k --batch 1,2,4 --max-new 64 --budgets full,1024 --out runs/speed
  snapbench speed --model shape:llama-2-7b --lengths 16k --batch 2,max --prefill 2 --budgets full,1024,2048
  snapbench speed --model shape:lwm-7b-1m --lengths max --batch 2 --layers 1 --attending 128k --budgets full,2048
  snapbench speed --model SmolLM2-135M-Instruct.Q4_1.gguf --device cpu --lengths 1k,4k --bench | tee new.txt
  snapbench speed --model shape:llama-2-7b --lengths 16k --against runs/speed`,
		Args: cobra.NoArgs,
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return f.run(cmd, &m, &v) }
	m.register(cmd)
	v.register(cmd)
	s := cmd.Flags()
	s.StringSliceVar(&f.Lengths, "lengths", []string{"4k"}, "prompt lengths in tokens; max: the longest that fits")
	s.StringSliceVar(&f.Batches, "batch", []string{"1"}, "sequences decoded together; max: as many as fit")
	s.IntVar(&f.MaxNew, "max-new", 64, "decoding steps measured")
	s.IntVar(&f.Warmup, "warmup", 8, "decoding steps before them")
	s.IntVar(&f.Prompts, "prefill", 0, "prompts read for a batch; the other sequences' caches are copies of those (0: all are read)")
	s.IntVar(&f.Layers, "layers", 0, "layers of a prefill that are computed; the others take their caches from the last of them (0: all)")
	s.StringVar(&f.Attending, "attending", "", "a prompt's last tokens that attend, as 128k (default all)")
	s.StringVar(&f.Block, "block", "", "tokens that a prefill takes at a time, as 4k (default the device's own number)")
	s.StringVar(&f.Memory, "memory", "", "bytes of the device to use at most, weights included, as 16g or 900m (default what is free)")
	s.Uint64Var(&f.Seed, "seed", 1, "of the random prompts")
	s.StringVar(&f.out, "out", "", "folder for speed.json, bench.txt and pictures")
	s.StringVar(&f.against, "against", "", "an earlier run's folder: also print how far the medians are from it")
	s.BoolVar(&f.Shared, "shared", false, "instead: one prompt under all variants together, as needle and longbench run it, against the first variant alone")
	s.IntVar(&f.Repeat, "repeat", 0, "measure each cell so often, all in turn, and give means with 95 % intervals; with --shared medians, after a run that is not counted (default 1, with --shared 5)")
	s.BoolVar(&f.bench, "bench", false, "print Go benchmark lines, for benchstat")
	s.BoolVar(&f.json, "json", false, "print JSON")
	s.BoolVar(&f.quiet, "quiet", false, "no progress")
	return cmd
}

// run measures what was asked for and prints it.
func (f *speedFlags) run(cmd *cobra.Command, of *modelFlags, v *variantFlags) error {
	variants, err := v.list(cmd)
	if err != nil {
		return err
	}
	plan, err := f.Plan(variants, cmd.Flags().Changed)
	if err != nil {
		return usage(err)
	}
	var before *speed.Report
	if f.against != "" {
		if before, err = speed.Read(f.against); err != nil {
			return err
		}
	}
	if f.out != "" { // before minutes are measured that could not be written down
		leave, err := results.MakeFolder(f.out)
		if err != nil {
			return err
		}
		defer leave()
	}
	progress := console.NewProgress(cmd.ErrOrStderr(), f.quiet)
	defer progress.Close()
	opened, err := local.Open(cmd.Context(), of.options(false), progress.Say)
	if err != nil {
		return err
	}
	defer opened.Close()
	engine := opened.Engines[0]
	plan.Variants = opened.On(plan.Variants)
	report, err := plan.Begin(engine, commands.Line("snapbench"), commands.Version())
	if err != nil {
		return usage(err)
	}
	w := cmd.OutOrStdout()
	if f.Shared {
		return plan.Shared(cmd.Context(), w, engine.Model(), plan.Repeat, f.json)
	}
	if err := plan.Measure(cmd.Context(), engine, report, &console.Cells{Progress: progress, Report: report, Out: f.out}); err != nil {
		if len(report.Rows) > 0 { // what was measured is not lost
			err = errors.Join(err, f.save(report, progress.Say))
		}
		return err
	}
	progress.Close()
	switch {
	case f.bench:
		err = report.Benchmark(w)
	case f.json:
		err = json.NewEncoder(w).Encode(report)
	default:
		if err = report.Table(w); err == nil && before != nil {
			err = report.Compare(w, f.against, before)
		}
	}
	if err != nil {
		return err
	}
	return f.save(report, progress.Say)
}

// save writes the report to the folder asked for, if there is one.
func (f *speedFlags) save(report *speed.Report, say func(string, ...any)) error {
	if f.out == "" {
		return nil
	}
	pictures, err := report.Save(f.out)
	if err != nil {
		return err
	}
	say("in %s: speed.json, bench.txt and %d pictures", f.out, len(pictures))
	return nil
}
