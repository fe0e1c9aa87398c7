package speed

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/snapbench/snapbench/runners/engine"
)

// Row is one cell of speed.json. Times are seconds, sizes bytes.
type Row struct {
	Model        string `json:"model"`
	Device       string `json:"device"`
	DType        string `json:"dtype"`
	Length       int    `json:"length"` // what ran
	Batch        int    `json:"batch"`
	LongestAsked bool   `json:"longest_asked,omitempty"` // --lengths max
	LargestAsked bool   `json:"largest_asked,omitempty"` // --batch max
	Variant      string `json:"variant"`
	Fits         bool   `json:"fits"`
	Need         int64  `json:"need_bytes,omitempty"` // where it does not fit
	Free         int64  `json:"free_bytes,omitempty"`
	Allocating   bool   `json:"allocation_failed,omitempty"` // although the plan fits
	NewTokens    int    `json:"new_tokens,omitempty"`

	Prompts   int `json:"prompts,omitempty"` // read; the other sequences' caches are copies
	Layers    int `json:"prefill_layers,omitempty"`
	Attending int `json:"prefill_attending,omitempty"`

	PrefillSeconds   float64 `json:"prefill_seconds,omitempty"` // median over the batch's prompts
	PrefillPerSecond float64 `json:"prefill_tokens_per_second,omitempty"`
	PrefillRoof      float64 `json:"prefill_roof_seconds,omitempty"` // operations over measured rates
	StepSeconds      float64 `json:"step_seconds,omitempty"`         // median
	StepP10          float64 `json:"step_p10_seconds,omitempty"`
	StepP90          float64 `json:"step_p90_seconds,omitempty"`
	StepRoof         float64 `json:"step_roof_seconds,omitempty"` // bytes over measured bandwidth
	TokensPerSecond  float64 `json:"tokens_per_second,omitempty"`
	TotalSeconds     float64 `json:"total_seconds,omitempty"` // all prompts read, all steps
	PeakBytes        int64   `json:"peak_bytes,omitempty"`    // by the device's own account
	DriverBytes      int64   `json:"driver_bytes,omitempty"`  // taken by the driver's, by whomever, when the steps are done
	WeightBytes      int64   `json:"weight_bytes,omitempty"`
	CacheBytes       int64   `json:"cache_bytes,omitempty"`
	StepBytes        int64   `json:"step_bytes,omitempty"`

	Plan  Footprint `json:"plan"`
	Notes []string  `json:"notes,omitempty"`
}

// Longest is the longest prompt that fits by the plan.
type Longest struct {
	Batch   int    `json:"batch"`
	Variant string `json:"variant"`
	Length  int    `json:"length"` // 0: none
}

// Report is speed.json.
type Report struct {
	Command string    `json:"command"`
	Version string    `json:"version"`
	Started time.Time `json:"started"`
	CPU     string    `json:"cpu"`
	About   string    `json:"device"`
	Block   int       `json:"block_tokens"` // that a prefill takes at a time
	Roofs   Roofs     `json:"roofs"`
	Rows    []Row     `json:"rows"`
	Longest []Longest `json:"longest_by_plan,omitempty"`
}

// Read reads the report in a folder.
func Read(dir string) (*Report, error) {
	path := filepath.Join(dir, "speed.json")
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var s Report
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(s.Rows) == 0 {
		return nil, fmt.Errorf("%s: it has no rows", path)
	}
	return &s, nil
}

// GiB is an amount of memory in GiB.
func GiB(bytes int64) float64 { return float64(bytes) / (1 << 30) }

// size is a cell's batch or length, with a sign where it was looked for.
func (r Row) size() (length, batch string) {
	length, batch = fmt.Sprint(r.Length), fmt.Sprint(r.Batch)
	if r.LongestAsked {
		length = "max " + length
	}
	if r.LargestAsked {
		batch = "max " + batch
	}
	return length, batch
}

func (r Row) misfit() string {
	if r.Allocating {
		return fmt.Sprintf("fits by the plan, but an allocation failed: needs %s, %s free", engine.Bytes(r.Need), engine.Bytes(r.Free))
	}
	return fmt.Sprintf("does not fit: needs %s, %s free", engine.Bytes(r.Need), engine.Bytes(r.Free))
}

// Line is a row in a sentence.
func (r Row) Line() string {
	if !r.Fits {
		return fmt.Sprintf("%d × %d tokens, %s: %s", r.Batch, r.Length, r.Variant, r.misfit())
	}
	return fmt.Sprintf("%d × %d tokens, %s: prefill %.3f s, step %.2f ms, peak %.2f GiB, %.1f s in all", r.Batch, r.Length, r.Variant, r.PrefillSeconds, 1000*r.StepSeconds, GiB(r.PeakBytes), r.TotalSeconds)
}

// remarks say what of a row is not as usual.
func (r Row) remarks() []string {
	var list []string
	if r.Fits && r.Prompts < r.Batch {
		list = append(list, fmt.Sprintf("of a batch %d prompts were read; the other sequences have copies of their caches, in memory of their own", r.Prompts))
	}
	if r.Layers > 0 {
		list = append(list, fmt.Sprintf("a prefill computes %d of the layers, the others take their caches from it: its time is not the model's, all memory and every step is", r.Layers))
	}
	if r.Attending > 0 {
		list = append(list, fmt.Sprintf("of a prompt the last %d tokens attend, over all its keys", min(r.Attending, r.Length)))
	}
	return append(list, r.Notes...)
}

// Table prints the rows, what they need, and how they compare with the full cache.
func (s *Report) Table(w io.Writer) error {
	fmt.Fprintf(w, "%s\ncopy %.0f GB/s, products %.2f TFLOP/s, attention %.2f TFLOP/s, measured here; prefill in blocks of %d tokens\n\n", s.About,
		s.Roofs.Bandwidth/1e9, s.Roofs.Products/1e12, s.Roofs.Attention/1e12, s.Block)
	fmt.Fprintf(w, "%11s %8s  %-52s %10s %6s %10s %9s %7s %7s %6s %10s %9s %7s %9s %9s\n", "length", "batch", "variant", "prefill s", "roof", "tokens/s", "step ms", "p10", "p90", "roof", "tokens/s", "peak GiB", "driver", "weights", "cache GiB")
	var remarks []string
	for _, r := range s.Rows {
		length, batch := r.size()
		fmt.Fprintf(w, "%11s %8s  %-52s ", length, batch, r.Variant)
		if r.Fits {
			driver := "–"
			if r.DriverBytes > 0 {
				driver = fmt.Sprintf("%.2f", GiB(r.DriverBytes))
			}
			fmt.Fprintf(w, "%10.3f %5.0f%% %10.0f %9.3f %7.3f %7.3f %5.0f%% %10.1f %9.2f %7s %9.2f %9.2f", r.PrefillSeconds, 100*r.PrefillRoof/r.PrefillSeconds, r.PrefillPerSecond,
				1000*r.StepSeconds, 1000*r.StepP10, 1000*r.StepP90, 100*r.StepRoof/r.StepSeconds, r.TokensPerSecond, GiB(r.PeakBytes), driver, GiB(r.WeightBytes), GiB(r.CacheBytes))
		} else {
			fmt.Fprint(w, r.misfit())
		}
		for _, text := range r.remarks() {
			at := 0
			for at < len(remarks) && remarks[at] != text {
				at++
			}
			if at == len(remarks) {
				remarks = append(remarks, text)
			}
			fmt.Fprintf(w, " [%d]", at+1)
		}
		fmt.Fprintln(w)
	}
	for i, text := range remarks {
		fmt.Fprintf(w, "[%d] %s\n", i+1, text)
	}
	s.plans(w)
	s.ratios(w)
	return s.longest(w)
}

// plans prints the bytes by part of the rows whose size was looked for.
func (s *Report) plans(w io.Writer) {
	title := fmt.Sprintf("\nGiB by the plan%78s %9s %9s %9s %9s %9s\n", "weights", "prefill", "caches", "decode", "in all", "there are")
	for _, r := range s.Rows {
		if !r.LongestAsked && !r.LargestAsked && r.Fits {
			continue
		}
		fmt.Fprint(w, title)
		title = ""
		length, batch := r.size()
		p := r.Plan
		fmt.Fprintf(w, "%11s %8s  %-52s %18.2f %9.2f %9.2f %9.2f %9.2f", length, batch, r.Variant, GiB(p.Weights), GiB(p.Prefill), GiB(p.Caches), GiB(p.Decode), GiB(p.Weights+p.Need()))
		if p.Free > 0 {
			fmt.Fprintf(w, " %9.2f", GiB(p.Weights+p.Free))
		}
		fmt.Fprintln(w)
	}
}

// Full returns the full cache's row that a row is compared with: of the same
// length and batch, where those were not looked for.
func (s *Report) Full(r Row) *Row {
	for i := range s.Rows {
		b := &s.Rows[i]
		length := b.Length == r.Length || r.LongestAsked
		batch := b.Batch == r.Batch || r.LargestAsked
		if b.Variant == "full" && b.Fits && length && batch && b.LongestAsked == r.LongestAsked && b.LargestAsked == r.LargestAsked && b.Layers == r.Layers && b.Attending == r.Attending {
			return b
		}
	}
	return nil
}

// bytesRatio is how much more tokens per second a row may give than b by the bytes
// that their steps read.
func (r Row) bytesRatio(b *Row) float64 {
	return float64(r.Batch) / float64(b.Batch) * float64(b.StepBytes) / float64(r.StepBytes)
}

// ratios compares each variant with the full cache: at the same length and batch,
// at the largest batch that each fits, and by the longest prompt.
func (s *Report) ratios(w io.Writer) {
	for _, section := range []struct {
		title string
		of    func(r Row) bool
		print func(r Row, b *Row) string
	}{
		{fmt.Sprintf("against the full cache, same length and batch%41s %9s %9s %9s", "step", "by bytes", "reached", "memory"),
			func(r Row) bool { return !r.LargestAsked && !r.LongestAsked },
			func(r Row, b *Row) string {
				ratio, bytes := b.StepSeconds/r.StepSeconds, r.bytesRatio(b)
				return fmt.Sprintf("%8.2f × %7.2f × %7.0f %% %7.2f ×", ratio, bytes, 100*ratio/bytes, float64(b.PeakBytes)/float64(r.PeakBytes))
			}},
		{fmt.Sprintf("against the full cache, each at its largest batch%37s %9s %9s %9s", "tokens/s", "by bytes", "reached", "batch"),
			func(r Row) bool { return r.LargestAsked },
			func(r Row, b *Row) string {
				ratio, bytes := r.TokensPerSecond/b.TokensPerSecond, r.bytesRatio(b)
				return fmt.Sprintf("%8.2f × %7.2f × %7.0f %% %7.1f ×", ratio, bytes, 100*ratio/bytes, float64(r.Batch)/float64(b.Batch))
			}},
		{fmt.Sprintf("against the full cache, each at its longest prompt%36s", "length"),
			func(r Row) bool { return r.LongestAsked },
			func(r Row, b *Row) string {
				return fmt.Sprintf("%8.2f ×", float64(r.Length)/float64(b.Length))
			}},
	} {
		told := false
		for _, r := range s.Rows {
			b := s.Full(r)
			if b == nil || r.Variant == "full" || !r.Fits || !section.of(r) {
				continue
			}
			if !told {
				fmt.Fprintf(w, "\n%s\n", section.title)
				told = true
			}
			length, batch := r.size()
			fmt.Fprintf(w, "%11s %8s  %-52s %s\n", length, batch, r.Variant, section.print(r, b))
		}
	}
}

// longest prints where each variant runs out of memory.
func (s *Report) longest(w io.Writer) error {
	full := map[int]int{}
	for i, x := range s.Longest {
		if i == 0 {
			fmt.Fprintf(w, "\nlongest prompt by the plan of memory%51s %11s\n", "tokens", "against full")
		}
		if x.Variant == "full" {
			full[x.Batch] = x.Length
		}
		fmt.Fprintf(w, "%11s %8d  %-52s %10d", "", x.Batch, x.Variant, x.Length)
		if n := full[x.Batch]; n > 0 && x.Variant != "full" {
			fmt.Fprintf(w, " %9.2f ×", float64(x.Length)/float64(n))
		}
		if _, err := fmt.Fprintln(w); err != nil {
			return err
		}
	}
	return nil
}

// Compare prints how far the medians are from an earlier run's.
func (s *Report) Compare(w io.Writer, dir string, before *Report) error {
	key := func(r Row) string {
		length, batch := fmt.Sprint(r.Length), fmt.Sprint(r.Batch)
		if r.LongestAsked {
			length = "max"
		}
		if r.LargestAsked {
			batch = "max"
		}
		return strings.Join([]string{r.Model, r.Device, r.DType, length, batch, r.Variant, fmt.Sprint(r.Layers, r.Attending)}, " ")
	}
	old := map[string]Row{}
	for _, r := range before.Rows {
		old[key(r)] = r
	}
	fmt.Fprintf(w, "\nagainst %s of %s", dir, before.Started.Format("2006-01-02 15:04 MST"))
	if before.About != s.About || before.Version != s.Version {
		fmt.Fprintf(w, " (%s, version %s; now %s, version %s)", before.About, before.Version, s.About, s.Version)
	}
	fmt.Fprintf(w, "\n%11s %8s  %-52s %10s %10s\n", "length", "batch", "variant", "prefill", "step")
	largest, rows := 0.0, 0
	for _, r := range s.Rows {
		b, ok := old[key(r)]
		if !ok || !r.Fits || !b.Fits {
			continue
		}
		rows++
		length, batch := r.size()
		prefill, step := 100*(r.PrefillSeconds/b.PrefillSeconds-1), 100*(r.StepSeconds/b.StepSeconds-1)
		largest = max(largest, prefill, -prefill, step, -step)
		fmt.Fprintf(w, "%11s %8s  %-52s %+8.1f %% %+8.1f %%", length, batch, r.Variant, prefill, step)
		if r.Length != b.Length || r.Batch != b.Batch {
			fmt.Fprintf(w, "  (then %d × %d)", b.Batch, b.Length)
		}
		fmt.Fprintln(w)
	}
	if rows == 0 {
		return fmt.Errorf("--against %s: none of its cells is one of these", dir)
	}
	_, err := fmt.Fprintf(w, "the largest difference of a median is %.1f %%\n", largest)
	return err
}

// Benchmark writes the rows as Go benchmark results, which benchstat compares.
func (s *Report) Benchmark(w io.Writer) error {
	name := func(kind string, r Row) string {
		length, batch := fmt.Sprint(r.Length), fmt.Sprint(r.Batch)
		if r.LongestAsked {
			length = "max"
		}
		if r.LargestAsked {
			batch = "max"
		}
		variant := strings.NewReplacer("(", ":", ")", "", ",", ";", " ", "").Replace(r.Variant)
		name := fmt.Sprintf("Benchmark%s/model=%s/dtype=%s/length=%s/batch=%s/variant=%s", kind, strings.NewReplacer(" ", "", ",", ";").Replace(r.Model), r.DType, length, batch, variant)
		if r.Layers > 0 {
			name += fmt.Sprintf("/layers=%d", r.Layers)
		}
		if r.Attending > 0 {
			name += fmt.Sprintf("/attending=%d", r.Attending)
		}
		return name
	}
	for _, r := range s.Rows {
		if !r.Fits {
			continue
		}
		fmt.Fprintf(w, "%s\t%d\t%.0f ns/op\t%.1f tokens/s\n", name("Prefill", r), r.Prompts, 1e9*r.PrefillSeconds, r.PrefillPerSecond)
		if _, err := fmt.Fprintf(w, "%s\t%d\t%.0f ns/op\t%.1f tokens/s\t%d peak-B\n", name("Decode", r), r.NewTokens, 1e9*r.StepSeconds, r.TokensPerSecond, r.PeakBytes); err != nil {
			return err
		}
	}
	return nil
}

// SaveRows writes speed.json.
func (s *Report) SaveRows(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "speed.json"), append(data, '\n'), 0o644)
}
