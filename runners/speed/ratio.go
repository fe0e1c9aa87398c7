package speed

import (
	"fmt"
	"io"
)

// Full returns the full cache's row that r is compared with, nil where there is none.
// It has the same length and batch, except for the one of the two that was searched for.
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

// bytesRatio is how many times b's tokens per second r would reach if a step took time
// in proportion to the bytes that it reads.
func (r Row) bytesRatio(b *Row) float64 {
	return float64(r.Batch) / float64(b.Batch) * float64(b.StepBytes) / float64(r.StepBytes)
}

// timed prints a ratio of times beside the one that bytes would give. Where the steps of one
// of the two vary there is none.
func timed(r Row, b *Row, ratio float64) string {
	bytes := r.bytesRatio(b)
	if r.unsteady() || b.unsteady() {
		return fmt.Sprintf("%8s   %7.2f × %7s  ", "–", bytes, "–")
	}
	return fmt.Sprintf("%8.2f × %7.2f × %7.0f %%", ratio, bytes, 100*ratio/bytes)
}

// ratios prints each variant against the full cache: at the same length and batch, each
// at the largest batch that fits, and each at the longest prompt that fits.
func (s *Report) ratios(w io.Writer) {
	for _, section := range []struct {
		title string
		of    func(r Row) bool
		print func(r Row, b *Row) string
	}{
		{fmt.Sprintf("against the full cache, same length and batch%41s %9s %9s %9s", "step", "by bytes", "reached", "memory"),
			func(r Row) bool { return !r.LargestAsked && !r.LongestAsked },
			func(r Row, b *Row) string {
				return timed(r, b, b.StepSeconds/r.StepSeconds) + fmt.Sprintf(" %7.2f ×", float64(b.PeakBytes)/float64(r.PeakBytes))
			}},
		{fmt.Sprintf("against the full cache, each at its largest batch%37s %9s %9s %9s", "tokens/s", "by bytes", "reached", "batch"),
			func(r Row) bool { return r.LargestAsked },
			func(r Row, b *Row) string {
				return timed(r, b, r.TokensPerSecond/b.TokensPerSecond) + fmt.Sprintf(" %7.1f ×", float64(r.Batch)/float64(b.Batch))
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
