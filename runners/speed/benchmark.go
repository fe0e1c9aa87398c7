package speed

import (
	"fmt"
	"io"
	"strings"
)

// Benchmark writes the rows in the format of Go benchmark results, for benchstat; a row that
// was measured several times is as many lines.
func (s *Report) Benchmark(w io.Writer) error {
	for _, r := range s.Rows {
		if !r.Fits {
			continue
		}
		prefills, steps := r.PrefillEach, r.StepEach
		if r.Repeats < 2 {
			prefills, steps = []float64{r.PrefillSeconds}, []float64{r.StepSeconds}
		}
		for _, seconds := range prefills {
			fmt.Fprintf(w, "%s\t%d\t%.0f ns/op\t%.1f tokens/s\n", r.benchmarkName("Prefill"), r.Prompts, 1e9*seconds, float64(r.Length)/seconds)
		}
		for _, seconds := range steps {
			if _, err := fmt.Fprintf(w, "%s\t%d\t%.0f ns/op\t%.1f tokens/s\t%d peak-B\n", r.benchmarkName("Decode"), r.NewTokens, 1e9*seconds, float64(r.Batch)/seconds, r.PeakBytes); err != nil {
				return err
			}
		}
	}
	return nil
}

// benchmarkName names a row's benchmark; benchstat reads each key=value as a column.
func (r Row) benchmarkName(kind string) string {
	model := strings.NewReplacer(" ", "", ",", ";").Replace(r.Model)
	variant := strings.NewReplacer("(", ":", ")", "", ",", ";", " ", "").Replace(r.Variant)
	length, batch := r.asked()
	name := fmt.Sprintf("Benchmark%s/model=%s/dtype=%s/length=%s/batch=%s/variant=%s", kind, model, r.DType, length, batch, variant)
	if r.Rope != "" {
		name += "/rope=" + strings.ReplaceAll(r.Rope, ",", ";")
	}
	if r.Layers > 0 {
		name += fmt.Sprintf("/layers=%d", r.Layers)
	}
	if r.Attending > 0 {
		name += fmt.Sprintf("/attending=%d", r.Attending)
	}
	return name
}
