package speed

import (
	"fmt"
	"io"
	"slices"
)

// Table prints the rows, the bytes that those with a searched size need, and how the
// variants compare with the full cache.
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
		for _, text := range append(r.remarks(), s.beyond(r)...) {
			at := slices.Index(remarks, text)
			if at < 0 {
				at, remarks = len(remarks), append(remarks, text)
			}
			fmt.Fprintf(w, " [%d]", at+1)
		}
		fmt.Fprintln(w)
	}
	for i, text := range remarks {
		fmt.Fprintf(w, "[%d] %s\n", i+1, text)
	}
	s.repeats(w)
	s.plans(w)
	s.ratios(w)
	return s.longest(w)
}

// beyond says where a row's prompts are longer than what the model was made for.
func (s *Report) beyond(r Row) []string {
	if s.Context == 0 || r.Length <= s.Context {
		return nil
	}
	return []string{fmt.Sprintf("prompts beyond the model's context of %d tokens, which it was not made for", s.Context)}
}

// plans prints the planned bytes, part by part, of rows whose length or batch was searched for.
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

// longest prints the longest prompt that fits each variant, and its ratio to the full cache's.
func (s *Report) longest(w io.Writer) error {
	full, beyond := map[int]int{}, false
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
		if s.Context > 0 && x.Length > s.Context {
			beyond = true
			fmt.Fprint(w, " *")
		}
		if _, err := fmt.Fprintln(w); err != nil {
			return err
		}
	}
	if beyond {
		_, err := fmt.Fprintf(w, "* beyond the model's context of %d tokens: the memory would do, the model was not made for it\n", s.Context)
		return err
	}
	return nil
}
