package forecast

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/snapbench/snapbench/runners/engine"
)

// Print writes the forecast for people.
func (f *Forecast) Print(w io.Writer) error {
	b := &strings.Builder{}
	fmt.Fprintf(b, "%s, %s, on %s\n", f.Model, f.DType, f.Card)
	fmt.Fprintf(b, "%d prompts of %d tasks, %d tokens in all, %d variants, %d row-steps\n\n", f.Prompts, len(f.Tasks), f.Tokens, len(f.Variants), f.RowSteps)
	line := func(name string, seconds float64, format string, arguments ...any) {
		fmt.Fprintf(b, "%-10s %10s  %5.1f %%  %s\n", name, duration(seconds), 100*seconds/f.Total, fmt.Sprintf(format, arguments...))
	}
	line("prefill", f.Prefill, "%.0f tokens/s", float64(f.Tokens)/f.Prefill)
	if f.Choice > 0 {
		line("choice", f.Choice, "what caches keep is chosen, gathered and checked")
	}
	if f.Decode > 0 {
		line("decoding", f.Decode, "%.0f tokens/s, %.0f rows together on average", float64(f.RowSteps)/f.Decode, f.Together)
	} else {
		line("decoding", 0, "each answer is one token, which comes of the prompt")
	}
	fmt.Fprintf(b, "%-10s %10s", "in all", duration(f.Total))
	if f.Price > 0 {
		fmt.Fprintf(b, "  %.2f at %.2f an hour", f.Cost, f.Price)
	}
	fmt.Fprintf(b, "\n\nmemory: %s, of these weights %s, and at most %s planned to be held\n\n",
		engine.Bytes(f.Memory), engine.Bytes(f.Weights), engine.Bytes(f.Peak))
	wide := len("variant")
	for _, v := range f.Variants {
		wide = max(wide, len(v.Variant))
	}
	fmt.Fprintf(b, "%-*s  %22s  %22s\n", wide, "variant", fmt.Sprintf("cache at %d tokens", f.Median), fmt.Sprintf("at %d tokens", f.Longest))
	for _, v := range f.Variants {
		fmt.Fprintf(b, "%-*s  %22s  %22s\n", wide, v.Variant, fit(v.Median, v.FitsMedian), fit(v.Longest, v.FitsLongest))
	}
	fmt.Fprintf(b, "(how many fit, of one variant alone)\n\n%-22s %8s %12s %9s %8s %12s\n", "task", "prompts", "tokens", "longest", "new", "row-steps")
	for _, t := range f.Tasks {
		fmt.Fprintf(b, "%-22s %8d %12d %9d %8d %12d\n", t.Task, t.Prompts, t.Tokens, t.Longest, t.MaxNew, t.RowSteps)
	}
	fmt.Fprintf(b, "\nrates of %s, from %s:\n", f.Date, f.Source)
	for _, r := range f.Rates {
		fmt.Fprintf(b, "  %s\n", r)
	}
	for _, n := range f.Notes {
		fmt.Fprintf(b, "%s\n", n)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// fit is "1.00 GiB × 93".
func fit(bytes int64, n int) string { return fmt.Sprintf("%s × %d", engine.Bytes(bytes), n) }

// duration is a time as people read it: "13m20s", "4.3s".
func duration(seconds float64) string {
	d := time.Duration(seconds * 1e9)
	if d < time.Minute {
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}
