package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/datasets"
	"github.com/snapbench/snapbench/plots"
	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/local"
	"github.com/snapbench/snapbench/runners/models"
	"github.com/snapbench/snapbench/runners/speed"
)

// speedFlags are speed's own.
type speedFlags struct {
	lengths, batches []string
	maxNew, warmup   int
	prompts          int
	part             models.Part
	memory           string
	out, against     string
	seed             uint64
	bench, shared    bool
	repeat           int
	json, quiet      bool
}

// speedPlan is what speed was asked for: the product of three lists.
type speedPlan struct {
	lengths, batches []int // 0: the most that fits
	variants         []compress.Variant
	limit            int64
	before           *speed.Report // --against
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
here. What does not fit is a result too, with the bytes it would need.

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
	var attending, block string
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		plan, err := f.plan(cmd, &v)
		if err != nil {
			return err
		}
		if attending != "" {
			if f.part.Attending, err = datasets.ParseTokens(attending); err != nil {
				return usage(fmt.Errorf("--attending: %w", err))
			}
		}
		blockTokens := 0
		if block != "" {
			if blockTokens, err = datasets.ParseTokens(block); err != nil {
				return usage(fmt.Errorf("--block: %w", err))
			}
		}
		progress := newProgress(cmd.ErrOrStderr(), f.quiet)
		defer progress.close()
		opened, err := local.Open(cmd.Context(), m.options(false), progress.Say)
		if err != nil {
			return err
		}
		defer opened.Close()
		m, about := opened.Engines[0].Model(), opened.Engines[0].Describe()
		if blockTokens > 0 {
			m.SetBlock(blockTokens)
		}
		if err := plan.check(m); err != nil {
			return usage(err)
		}
		if f.shared {
			return measureShared(cmd, m, plan.lengths, plan.variants, f.maxNew, f.repeat, f.seed, f.json)
		}
		report := &speed.Report{Command: commandLine(), Version: version(), Started: time.Now().UTC(), CPU: runners.Processor(),
			About: about.Device + ": " + about.About, Block: m.Block()}
		if err := measureAll(cmd.Context(), report, opened, plan, &f, progress); err != nil {
			if f.out != "" && len(report.Rows) > 0 { // what was measured is not lost
				err = errors.Join(err, save(report, f.out, progress.Say))
			}
			return err
		}
		progress.close()
		w := cmd.OutOrStdout()
		switch {
		case f.bench:
			err = report.Benchmark(w)
		case f.json:
			err = json.NewEncoder(w).Encode(report)
		default:
			err = report.Table(w)
		}
		if err == nil && plan.before != nil && !f.bench && !f.json {
			err = report.Compare(w, f.against, plan.before)
		}
		if err != nil || f.out == "" {
			return err
		}
		return save(report, f.out, progress.Say)
	}
	m.register(cmd)
	v.register(cmd)
	s := cmd.Flags()
	s.StringSliceVar(&f.lengths, "lengths", []string{"4k"}, "prompt lengths in tokens; max: the longest that fits")
	s.StringSliceVar(&f.batches, "batch", []string{"1"}, "sequences decoded together; max: as many as fit")
	s.IntVar(&f.maxNew, "max-new", 64, "decoding steps measured")
	s.IntVar(&f.warmup, "warmup", 8, "decoding steps before them")
	s.IntVar(&f.prompts, "prefill", 0, "prompts read for a batch; the other sequences' caches are copies of those (0: all are read)")
	s.IntVar(&f.part.Layers, "layers", 0, "layers of a prefill that are computed; the others take their caches from the last of them (0: all)")
	s.StringVar(&attending, "attending", "", "a prompt's last tokens that attend, as 128k (default all)")
	s.StringVar(&block, "block", "", "tokens that a prefill takes at a time, as 4k (default the device's own number)")
	s.StringVar(&f.memory, "memory", "", "bytes of the device to use at most, weights included, as 16g or 900m (default what is free)")
	s.Uint64Var(&f.seed, "seed", 1, "of the random prompts")
	s.StringVar(&f.out, "out", "", "folder for speed.json, bench.txt and pictures")
	s.StringVar(&f.against, "against", "", "an earlier run's folder: also print how far the medians are from it")
	s.BoolVar(&f.shared, "shared", false, "instead: one prompt under all variants together, as needle and longbench run it, against the first variant alone")
	s.IntVar(&f.repeat, "repeat", 5, "with --shared: runs, after one that is not counted")
	s.BoolVar(&f.bench, "bench", false, "print Go benchmark lines, for benchstat")
	s.BoolVar(&f.json, "json", false, "print JSON")
	s.BoolVar(&f.quiet, "quiet", false, "no progress")
	return cmd
}

// What is listed one by one before memory is planned has to be listable.
const (
	mostSteps     = 1 << 20
	mostSequences = 1 << 20
)

// plan reads the flags, before minutes are measured that could not be written down.
func (f *speedFlags) plan(cmd *cobra.Command, v *variantFlags) (p speedPlan, err error) {
	if p.variants, err = v.list(cmd); err != nil {
		return p, err
	}
	for _, s := range f.lengths {
		n := 0
		if s = strings.TrimSpace(s); s != "max" {
			if n, err = datasets.ParseTokens(s); err != nil {
				return p, usage(fmt.Errorf("%w, or max", err))
			}
		}
		p.lengths = append(p.lengths, n)
	}
	for _, s := range f.batches {
		n := 0
		if s = strings.TrimSpace(s); s != "max" {
			if n, err = strconv.Atoi(s); err != nil || n < 1 || n > mostSequences {
				return p, usage(fmt.Errorf("batch %q: want 1 to %d, or max", s, mostSequences))
			}
		}
		p.batches = append(p.batches, n)
	}
	if f.memory != "" {
		if p.limit, err = sizeBytes(f.memory); err != nil {
			return p, usage(err)
		}
	}
	switch {
	case p.open(p.lengths) && p.open(p.batches):
		err = errors.New("--lengths max and --batch max: the one depends on the other, give one in numbers")
	case f.shared && (p.open(p.lengths) || cmd.Flags().Changed("batch") || cmd.Flags().Changed("prefill") || cmd.Flags().Changed("against")):
		err = errors.New("--shared takes lengths in numbers, and no --batch, --prefill or --against")
	case f.shared && f.repeat < 1:
		err = fmt.Errorf("--repeat %d: want 1 or more", f.repeat)
	case f.maxNew < 1 || f.warmup < 0:
		err = fmt.Errorf("--max-new %d, --warmup %d: want at least 1 and 0", f.maxNew, f.warmup)
	case f.maxNew > mostSteps || f.warmup > mostSteps:
		err = fmt.Errorf("--max-new %d, --warmup %d: want at most %d", f.maxNew, f.warmup, mostSteps)
	case f.prompts < 0 || f.prompts == 1:
		err = fmt.Errorf("--prefill %d: want 2 at least (one to copy, and one that is read beside the copies), or 0 for all", f.prompts)
	case f.part.Layers < 0:
		err = fmt.Errorf("--layers %d: want 1 or more", f.part.Layers)
	}
	if err != nil {
		return p, usage(err)
	}
	if f.against != "" {
		if p.before, err = speed.Read(f.against); err != nil {
			return p, err
		}
	}
	if f.out != "" {
		if err := os.MkdirAll(f.out, 0o755); err != nil {
			return p, fmt.Errorf("--out %s: %w", f.out, err)
		}
	}
	return p, nil
}

// open says whether a list has a "max".
func (p speedPlan) open(list []int) bool {
	for _, n := range list {
		if n == 0 {
			return true
		}
	}
	return false
}

// check holds the plan against the model and its device.
func (p speedPlan) check(m *models.Model) error {
	for _, x := range p.variants {
		if err := x.CheckLayers(m.Layers); err != nil {
			return err
		}
	}
	if !p.open(p.lengths) && !p.open(p.batches) || p.limit > 0 {
		return nil
	}
	// A CPU's memory is everybody's: filling it takes the machine from others.
	if name := m.Device().Name(); engine.OnHost(name) {
		return fmt.Errorf("max on %s: it has no memory of its own to fill; say with --memory how much to use, as 4g", name)
	}
	return nil
}

// sizeBytes reads "16g", "900m", "1000000".
func sizeBytes(s string) (int64, error) {
	digits, factor := strings.ToLower(strings.TrimSpace(s)), int64(1)
	for suffix, f := range map[string]int64{"k": 1 << 10, "m": 1 << 20, "g": 1 << 30} {
		if d, ok := strings.CutSuffix(digits, suffix); ok {
			digits, factor = d, f
			break
		}
	}
	x, err := strconv.ParseFloat(digits, 64)
	if err != nil || !(x*float64(factor) >= 1 && x*float64(factor) < 1<<62) {
		return 0, fmt.Errorf("size %q: want bytes, as 16g or 900m", s)
	}
	return int64(x * float64(factor)), nil
}

// measure runs every cell.
func measureAll(ctx context.Context, s *speed.Report, opened *local.Opened, p speedPlan, f *speedFlags, progress *progress) error {
	m := opened.Engines[0].Model()
	longest := 0
	for _, n := range p.lengths {
		longest = max(longest, n)
	}
	if longest == 0 || p.open(p.lengths) {
		longest = 16 << 10
	}
	var err error
	if s.Roofs, err = speed.MeasureRoofs(m, longest); err != nil {
		return err
	}
	progress.Say("measured here: copy %.0f GB/s, products %.2f TFLOP/s, attention %.2f TFLOP/s",
		s.Roofs.Bandwidth/1e9, s.Roofs.Products/1e12, s.Roofs.Attention/1e12)
	var cells []speed.Cell
	for _, n := range p.lengths {
		for _, b := range p.batches {
			for _, x := range p.variants {
				cells = append(cells, speed.Cell{Length: n, Batch: b, Variant: x, MaxNew: f.maxNew, Warmup: f.warmup, Prompts: f.prompts, Part: f.part, Limit: p.limit})
			}
		}
	}
	s.Longest = longestPrompts(m, p, f)
	clock := newCellProgress(progress, m, s.Roofs, cells)
	for i, c := range cells {
		row, err := speed.MeasureRow(ctx, opened.Engines[0], s.Roofs, c, f.seed, clock.within(i))
		if err != nil {
			return err
		}
		clock.finishedCell(i)
		s.Rows = append(s.Rows, row)
		progress.Say("%s", row.Line())
		if f.out != "" { // minutes of work, whatever becomes of the rest
			if err := s.SaveRows(f.out); err != nil {
				return err
			}
		}
	}
	return nil
}

// longestPrompts plans, for each batch that is a number, the longest prompt of
// each variant. There are none where no limit of memory is known.
func longestPrompts(m *models.Model, p speedPlan, f *speedFlags) []speed.Longest {
	var list []speed.Longest
	for _, b := range p.batches {
		if b == 0 {
			continue
		}
		for _, x := range p.variants {
			c, err := speed.Cell{Batch: b, Variant: x, MaxNew: f.maxNew, Warmup: f.warmup, Limit: p.limit}.Largest(m)
			if errors.Is(err, speed.ErrNoLimit) {
				return nil
			}
			if err != nil {
				c.Length = 0 // not even the shortest
			}
			list = append(list, speed.Longest{Batch: b, Variant: x.String(), Length: c.Length})
		}
	}
	return list
}

// save writes speed.json, bench.txt and the pictures.
func save(s *speed.Report, dir string, say func(string, ...any)) error {
	if err := s.SaveRows(dir); err != nil {
		return err
	}
	if err := writeFile(filepath.Join(dir, "bench.txt"), s.Benchmark, false); err != nil {
		return err
	}
	files, err := plots.Write(dir, figures(s))
	if err != nil {
		return err
	}
	say("in %s: speed.json, bench.txt and %d pictures", dir, len(files))
	return nil
}
