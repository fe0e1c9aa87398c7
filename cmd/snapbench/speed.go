package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/plots"
	"github.com/snapbench/snapbench/runners"
)

// speedRow is one cell of speed.json. Times are seconds, sizes bytes.
type speedRow struct {
	Model     string `json:"model"`
	Device    string `json:"device"`
	DType     string `json:"dtype"`
	Length    int    `json:"length"`
	Batch     int    `json:"batch"`
	Variant   string `json:"variant"`
	Fits      bool   `json:"fits"`
	Need      int64  `json:"need_bytes,omitempty"` // where it does not fit
	Free      int64  `json:"free_bytes,omitempty"`
	NewTokens int    `json:"new_tokens,omitempty"`

	PrefillSeconds   float64 `json:"prefill_seconds,omitempty"` // median over the batch's prompts
	PrefillPerSecond float64 `json:"prefill_tokens_per_second,omitempty"`
	PrefillRoof      float64 `json:"prefill_roof_seconds,omitempty"` // operations over measured rates
	StepSeconds      float64 `json:"step_seconds,omitempty"`         // median
	StepP10          float64 `json:"step_p10_seconds,omitempty"`
	StepP90          float64 `json:"step_p90_seconds,omitempty"`
	StepRoof         float64 `json:"step_roof_seconds,omitempty"` // bytes over measured bandwidth
	TokensPerSecond  float64 `json:"tokens_per_second,omitempty"`
	PeakBytes        int64   `json:"peak_bytes,omitempty"`
	WeightBytes      int64   `json:"weight_bytes,omitempty"`
	CacheBytes       int64   `json:"cache_bytes,omitempty"`
	StepBytes        int64   `json:"step_bytes,omitempty"`
}

type speedReport struct {
	Command string        `json:"command"`
	Version string        `json:"version"`
	Started time.Time     `json:"started"`
	CPU     string        `json:"cpu"`
	About   string        `json:"device"`
	Roofs   runners.Roofs `json:"roofs"`
	Rows    []speedRow    `json:"rows"`
}

func newSpeed() *cobra.Command {
	var v variantFlags
	var m modelFlags
	var f struct {
		lengths        []string
		batches        []int
		maxNew, warmup int
		out            string
		seed           uint64
		bench, shared  bool
		repeat         int
		json, quiet    bool
	}
	cmd := &cobra.Command{
		Use:   "speed",
		Short: "Throughput and memory: prefill, decoding steps, peak, and the roof each is held to",
		Long: `speed reads random prompts, each sequence its own, and measures every length,
batch and variant alone: prefill, decoding steps (median, p10 and p90 of synchronised
steps after a warm-up, the end token not obeyed), peak memory by the device's own
account, and the roofs: the bytes a step must read over the bandwidth measured here,
the operations of a prefill over the rates measured here. What does not fit is a
result too, with the bytes it would need.`,
		Example: `  snapbench speed --model shape:llama-2-7b --lengths 4k,16k --batch 1,2,4 --max-new 64 --budgets full,1024 --out runs/speed
  snapbench speed --model SmolLM2-135M-Instruct.Q4_1.gguf --device cpu --lengths 1k,4k --bench | tee new.txt`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			variants, err := v.list(cmd)
			if err != nil {
				return err
			}
			lengths, err := tokenList(f.lengths)
			if err != nil {
				return usage(err)
			}
			for _, b := range f.batches {
				if b < 1 {
					return usage(fmt.Errorf("batch %d: want 1 or more", b))
				}
			}
			if f.maxNew < 1 || f.warmup < 0 {
				return usage(fmt.Errorf("--max-new %d, --warmup %d: want at least 1 and 0", f.maxNew, f.warmup))
			}
			if f.out != "" { // before minutes are measured that could not be written down
				if err := os.MkdirAll(f.out, 0o755); err != nil {
					return fmt.Errorf("--out %s: %w", f.out, err)
				}
			}
			progress := newProgress(cmd.ErrOrStderr(), f.quiet)
			defer progress.close()
			loaded, err := open(cmd.Context(), m, progress.say, false)
			if err != nil {
				return err
			}
			defer loaded.Close()
			for _, x := range variants {
				if err := x.CheckLayers(loaded.loaded.Layers); err != nil {
					return usage(err)
				}
			}
			report := speedReport{Command: commandLine(), Version: version(), Started: time.Now().UTC(), CPU: cpuName(),
				About: loaded.device.Name() + ": " + loaded.device.Describe()}
			if f.shared {
				return measureShared(cmd, loaded, lengths, variants, f.maxNew, f.repeat, f.seed, f.json)
			}
			longest := 0
			for _, n := range lengths {
				longest = max(longest, n)
			}
			if report.Roofs, err = runners.MeasureRoofs(loaded.loaded, longest); err != nil {
				return err
			}
			progress.say("measured here: copy %.0f GB/s, products %.2f TFLOP/s, attention %.2f TFLOP/s",
				report.Roofs.Bandwidth/1e9, report.Roofs.Products/1e12, report.Roofs.Attention/1e12)
			for _, n := range lengths {
				for _, b := range f.batches {
					for _, x := range variants {
						row, err := measureCell(cmd.Context(), loaded, report.Roofs, runners.Cell{Length: n, Batch: b, Variant: x, MaxNew: f.maxNew, Warmup: f.warmup}, f.seed)
						if err != nil {
							if f.out != "" && len(report.Rows) > 0 { // what was measured is not lost
								err = errors.Join(err, report.save(f.out, progress.say))
							}
							return err
						}
						report.Rows = append(report.Rows, row)
						progress.say("%s", row.line())
					}
				}
			}
			w := cmd.OutOrStdout()
			switch {
			case f.bench:
				err = report.benchmark(w)
			case f.json:
				err = json.NewEncoder(w).Encode(report)
			default:
				err = report.table(w)
			}
			if err != nil || f.out == "" {
				return err
			}
			return report.save(f.out, progress.say)
		},
	}
	m.register(cmd)
	v.register(cmd)
	s := cmd.Flags()
	s.StringSliceVar(&f.lengths, "lengths", []string{"4k"}, "prompt lengths in tokens")
	s.IntSliceVar(&f.batches, "batch", []int{1}, "sequences decoded together")
	s.IntVar(&f.maxNew, "max-new", 64, "decoding steps measured")
	s.IntVar(&f.warmup, "warmup", 8, "decoding steps before them")
	s.Uint64Var(&f.seed, "seed", 1, "of the random prompts")
	s.StringVar(&f.out, "out", "", "folder for speed.json, bench.txt and pictures")
	s.BoolVar(&f.shared, "shared", false, "instead: one prompt under all variants together, as needle and longbench run it, against the first variant alone")
	s.IntVar(&f.repeat, "repeat", 5, "with --shared: runs, after one that is not counted")
	s.BoolVar(&f.bench, "bench", false, "print Go benchmark lines, for benchstat")
	s.BoolVar(&f.json, "json", false, "print JSON")
	s.BoolVar(&f.quiet, "quiet", false, "no progress")
	return cmd
}

func measureCell(ctx context.Context, m *model, roofs runners.Roofs, c runners.Cell, seed uint64) (speedRow, error) {
	row := speedRow{Model: m.name, Device: m.device.Name(), DType: m.device.Type().String(), Length: c.Length, Batch: c.Batch, Variant: c.Variant.String()}
	s, err := runners.Measure(ctx, m.loaded, c, seed, nil)
	var large *runners.DoesNotFit
	if errors.As(err, &large) {
		row.Need, row.Free = large.Need, large.Free
		return row, nil
	}
	if err != nil {
		return row, err
	}
	row.Fits, row.NewTokens = true, c.MaxNew
	prefill, step := runners.Quantile(s.Prefill, 0.5), runners.Quantile(s.Steps, 0.5)
	row.PrefillSeconds, row.PrefillPerSecond = prefill.Seconds(), float64(c.Length)/prefill.Seconds()
	row.PrefillRoof = s.PrefillProducts/roofs.Products + s.PrefillAttention/roofs.Attention
	row.StepSeconds, row.StepP10, row.StepP90 = step.Seconds(), runners.Quantile(s.Steps, 0.1).Seconds(), runners.Quantile(s.Steps, 0.9).Seconds()
	row.StepRoof = float64(s.StepBytes) / roofs.Bandwidth
	row.TokensPerSecond = float64(c.Batch) / step.Seconds()
	row.PeakBytes, row.WeightBytes, row.CacheBytes, row.StepBytes = s.Peak, s.Weights, s.Cache, s.StepBytes
	return row, nil
}

// sharedRow is a line of speed --shared: medians, in seconds.
type sharedRow struct {
	Length   int     `json:"length"`
	Variants int     `json:"variants"`
	Prefill  float64 `json:"prefill_seconds"`
	Decode   float64 `json:"decode_seconds"`
	Total    float64 `json:"total_seconds"`
	Peak     int64   `json:"peak_bytes"`
}

// measureShared times the grid as one run, and its first variant alone, in turn.
func measureShared(cmd *cobra.Command, m *model, lengths []int, variants []compress.Variant, maxNew, repeat int, seed uint64, asJSON bool) error {
	var rows []sharedRow
	w := cmd.OutOrStdout()
	if !asJSON {
		fmt.Fprintf(w, "%s: %s\n%7s %8s %10s %10s %10s %9s\n", m.device.Name(), m.device.Describe(), "length", "variants", "prefill s", "decode s", "total s", "peak GiB")
	}
	for _, n := range lengths {
		groups := [][]compress.Variant{variants[:1], variants}
		times := make([][3][]time.Duration, len(groups))
		peaks := make([]int64, len(groups))
		for i := range max(1, repeat) + 1 {
			for g, list := range groups {
				s, err := runners.MeasureShared(cmd.Context(), m.loaded, n, maxNew, list, seed+uint64(i))
				if err != nil {
					return err
				}
				if i > 0 {
					times[g][0] = append(times[g][0], s.Prefill)
					times[g][1] = append(times[g][1], s.Decode)
					times[g][2] = append(times[g][2], s.Prefill+s.Decode)
					peaks[g] = s.Peak
				}
			}
		}
		for g, list := range groups {
			r := sharedRow{n, len(list), runners.Quantile(times[g][0], 0.5).Seconds(), runners.Quantile(times[g][1], 0.5).Seconds(), runners.Quantile(times[g][2], 0.5).Seconds(), peaks[g]}
			rows = append(rows, r)
			if !asJSON {
				fmt.Fprintf(w, "%7d %8d %10.3f %10.3f %10.3f %9.2f\n", r.Length, r.Variants, r.Prefill, r.Decode, r.Total, gib(r.Peak))
			}
		}
		if last := rows[len(rows)-2:]; !asJSON {
			fmt.Fprintf(w, "%d variants take %.2f × the time of %s alone\n", len(variants), last[1].Total/last[0].Total, variants[0])
		}
	}
	if asJSON {
		return json.NewEncoder(w).Encode(rows)
	}
	return nil
}

func (r speedRow) line() string {
	if !r.Fits {
		return fmt.Sprintf("%d × %d tokens, %s: does not fit: needs %.2f GiB, %.2f GiB free", r.Batch, r.Length, r.Variant, gib(r.Need), gib(r.Free))
	}
	return fmt.Sprintf("%d × %d tokens, %s: prefill %.3f s, step %.2f ms, peak %.2f GiB", r.Batch, r.Length, r.Variant, r.PrefillSeconds, 1000*r.StepSeconds, gib(r.PeakBytes))
}

func gib(bytes int64) float64 { return float64(bytes) / (1 << 30) }

func (s *speedReport) table(w io.Writer) error {
	fmt.Fprintf(w, "%s\ncopy %.0f GB/s, products %.2f TFLOP/s, attention %.2f TFLOP/s, measured here\n\n", s.About,
		s.Roofs.Bandwidth/1e9, s.Roofs.Products/1e12, s.Roofs.Attention/1e12)
	fmt.Fprintf(w, "%7s %5s  %-52s %10s %6s %9s %7s %7s %6s %10s %9s %9s\n", "length", "batch", "variant", "prefill s", "roof", "step ms", "p10", "p90", "roof", "tokens/s", "peak GiB", "cache GiB")
	for _, r := range s.Rows {
		if !r.Fits {
			fmt.Fprintf(w, "%7d %5d  %-52s does not fit: needs %.2f GiB, %.2f GiB free\n", r.Length, r.Batch, r.Variant, gib(r.Need), gib(r.Free))
			continue
		}
		fmt.Fprintf(w, "%7d %5d  %-52s %10.3f %5.0f%% %9.3f %7.3f %7.3f %5.0f%% %10.1f %9.2f %9.2f\n", r.Length, r.Batch, r.Variant,
			r.PrefillSeconds, 100*r.PrefillRoof/r.PrefillSeconds, 1000*r.StepSeconds, 1000*r.StepP10, 1000*r.StepP90, 100*r.StepRoof/r.StepSeconds,
			r.TokensPerSecond, gib(r.PeakBytes), gib(r.CacheBytes))
	}
	s.ratios(w)
	return nil
}

// ratios compares each variant with the full cache at the same length and batch,
// and at the largest batch that each fits.
func (s *speedReport) ratios(w io.Writer) {
	full := func(length, batch int) *speedRow {
		for i := range s.Rows {
			if r := &s.Rows[i]; r.Variant == "full" && r.Length == length && r.Batch == batch && r.Fits {
				return r
			}
		}
		return nil
	}
	title := "\nagainst the full cache        step     by bytes   memory   tokens/s\n"
	for _, r := range s.Rows {
		if b := full(r.Length, r.Batch); b != nil && r.Variant != "full" && r.Fits {
			fmt.Fprint(w, title)
			title = ""
			fmt.Fprintf(w, "%7d × %-3d %-44s %5.2f ×  %5.2f ×  %5.2f ×  %5.2f ×\n", r.Length, r.Batch, r.Variant, b.StepSeconds/r.StepSeconds,
				float64(b.StepBytes)/float64(r.StepBytes), float64(b.PeakBytes)/float64(r.PeakBytes), r.TokensPerSecond/b.TokensPerSecond)
		}
	}
}

// benchmark writes the rows as Go benchmark results, which benchstat compares.
func (s *speedReport) benchmark(w io.Writer) error {
	name := func(kind string, r speedRow) string {
		variant := strings.NewReplacer("(", ":", ")", "", ",", ";", " ", "").Replace(r.Variant)
		return fmt.Sprintf("Benchmark%s/model=%s/dtype=%s/length=%d/batch=%d/variant=%s", kind, strings.NewReplacer(" ", "", ",", ";").Replace(r.Model), r.DType, r.Length, r.Batch, variant)
	}
	for _, r := range s.Rows {
		if !r.Fits {
			continue
		}
		fmt.Fprintf(w, "%s\t%d\t%.0f ns/op\t%.1f tokens/s\n", name("Prefill", r), r.Batch, 1e9*r.PrefillSeconds, r.PrefillPerSecond)
		if _, err := fmt.Fprintf(w, "%s\t%d\t%.0f ns/op\t%.1f tokens/s\t%d peak-B\n", name("Decode", r), r.NewTokens, 1e9*r.StepSeconds, r.TokensPerSecond, r.PeakBytes); err != nil {
			return err
		}
	}
	return nil
}

// save writes speed.json, bench.txt and the pictures.
func (s *speedReport) save(dir string, say func(string, ...any)) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "speed.json"), append(data, '\n'), 0o644); err != nil {
		return err
	}
	if err := writeFile(filepath.Join(dir, "bench.txt"), s.benchmark, false); err != nil {
		return err
	}
	files, err := plots.Write(dir, s.figures())
	if err != nil {
		return err
	}
	say("in %s: speed.json, bench.txt and %d pictures", dir, len(files))
	return nil
}

// figures draws the step's time and the peak memory over the length, a panel for
// each batch; a line ends where its variant does not fit any more.
func (s *speedReport) figures() []plots.Figure {
	var step, memory []plots.Point
	for _, r := range s.Rows {
		variant, err := compress.Parse(r.Variant)
		label := r.Variant
		if err == nil && !variant.IsFull() {
			label = variant.Policy() + " " + variant.Budget()
		}
		p := plots.Point{Panel: "batch " + strconv.Itoa(r.Batch), Series: label, X: float64(r.Length), Missing: !r.Fits}
		q := p
		p.Y, p.Lo, p.Hi = 1000*r.StepSeconds, 1000*r.StepP10, 1000*r.StepP90
		q.Y, q.Lo, q.Hi = gib(r.PeakBytes), gib(r.PeakBytes), gib(r.PeakBytes)
		if !r.Fits {
			q.Y = gib(r.Need)
		}
		step, memory = append(step, p), append(memory, q)
	}
	return []plots.Figure{
		plots.Lines("speed_step", "Decoding step", s.About, "Prompt (tokens)", "Step (ms)", step),
		plots.Lines("speed_memory", "Peak memory", s.About, "Prompt (tokens)", "Peak memory (GiB)", memory),
	}
}
